/** How often the median of all clocks is taken: it costs as much as there are members. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as HybridClock from "../../src/domain/HybridClock.ts"
import * as Membership from "../../src/domain/Membership.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import { CoarseClock } from "../../src/services/CoarseClock.ts"
import * as MemberTime from "../../src/services/MemberTime.ts"
import * as OthersClocks from "../../src/services/OthersClocks.ts"

const make = Effect.fnUntraced(function*(members: number) {
  const protocol = Protocol.make()
  const time = MemberTime.make(yield* Clock.Clock, yield* CoarseClock)
  const membership = Membership.make("self", protocol)
  for (let index = 0; index < members; index++) {
    Membership.add(membership, {
      id: `m${index}`,
      address: "",
      host: "",
      pid: 0,
      thread: 0,
      version: "",
      ready: true,
      offsetMillis: 0
    }, 0)
  }
  let taken = 0
  const clocks = OthersClocks.make({
    time,
    protocol,
    membership,
    clock: HybridClock.make({ clockAheadMillisMax: protocol.clockAheadMillisMax }),
    ready: () => {
      taken++
      return true
    },
    publish: () => undefined,
    startAnew: () => undefined
  })
  return { clocks, membership, taken: () => taken, time }
})

describe("the median of the others' clocks", () => {
  it.effect("is taken with every heartbeat of a small cluster", () =>
    Effect.gen(function*() {
      const { clocks, membership, taken, time } = yield* make(9)
      for (const member of membership.members.values()) {
        clocks.note(member, { physicalMillis: time.physical(), clock: 0 })
      }
      assert.strictEqual(taken(), 9)
    }))

  it.effect("is taken ten times a second at most in one of a thousand, and not forgotten", () =>
    Effect.gen(function*() {
      const { clocks, membership, taken, time } = yield* make(1_000)
      for (const member of membership.members.values()) {
        clocks.note(member, { physicalMillis: time.physical() + 300, clock: 0 })
        yield* TestClock.adjust(1)
      }
      assert.isAtMost(taken(), 11)
      assert.isAtLeast(taken(), 9)
      assert.isAbove(time.correctionMillis(), 250, "the majority is 300 ms ahead")
      // Nobody says anything more: what was noted last is looked at when it is due.
      const before = taken()
      const [last] = membership.members.values()
      clocks.note(last, { physicalMillis: time.physical(), clock: 0 })
      if (taken() === before) {
        assert.isAtMost(clocks.nextDue() - time.ticks(), 100)
        yield* TestClock.adjust(100)
        clocks.onDue()
      }
      assert.strictEqual(taken(), before + 1)
      assert.strictEqual(clocks.nextDue(), Infinity)
    }))
})
