/** When a member that starts may take itself for alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Membership from "../../src/domain/Membership.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as Joining from "../../src/services/Joining.ts"

const protocol = Protocol.make()

const start = () => {
  let ticks = 1_000
  let announced = 0
  const joining = Joining.make({
    time: {
      physical: () => ticks,
      now: () => ticks,
      glance: () => ticks,
      ticks: () => ticks,
      correctionMillis: () => 0,
      correct: () => {}
    },
    protocol,
    membership: Membership.make("a".repeat(32), protocol),
    announce: () => void announced++,
    meeting: () => false,
    caughtUp: () => true,
    becameReady: () => {}
  })
  /** A turn of the loop, so long after the last one. */
  const turn = (millis: number): void => {
    ticks += millis
    joining.onDue()
  }
  return { joining, turn, announced: () => announced }
}

describe("a member that hears nobody", () => {
  const { joinIntervalMillis, joinWaitMillis } = protocol

  it("is ready when it has listened for long enough", () => {
    const { joining, turn } = start()
    for (let millis = 0; millis < joinWaitMillis; millis += joinIntervalMillis) {
      turn(millis === 0 ? 0 : joinIntervalMillis)
      assert.isFalse(joining.ready(), `after ${millis} ms`)
    }
    turn(joinIntervalMillis)
    assert.isTrue(joining.ready())
  })

  it("does not count the time in which its process stood still as listening", () => {
    const { announced, joining, turn } = start()
    turn(0)
    // One turn, before which nothing that anybody answered could be read.
    turn(10 * joinWaitMillis)
    assert.isFalse(joining.ready())
    for (let count = 0; count < joinWaitMillis / joinIntervalMillis; count++) turn(joinIntervalMillis)
    assert.isTrue(joining.ready())
    assert.isAtLeast(announced(), joinWaitMillis / joinIntervalMillis)
  })
})
