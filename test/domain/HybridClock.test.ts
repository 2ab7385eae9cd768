import { assert, describe, it } from "@effect/vitest"
import * as HybridClock from "../../src/domain/HybridClock.ts"
import * as Stamp from "../../src/domain/Stamp.ts"

const at = (millis: number): number => Stamp.epochMillis + millis

describe("a clock that starts anew", () => {
  it("gives out no value again, also where others that went on pull it along", () => {
    const clock = HybridClock.make({ clockAheadMillisMax: 1_000 })
    const given = new Set<number>()
    const give = (millis: number): void => {
      const value = HybridClock.next(clock, at(millis), 0)
      assert.isFalse(given.has(value), `${value} twice`)
      given.add(value)
    }
    for (let life = 0; life < 4; life++) {
      // Another member's clock runs ahead and is followed: the values after its own are given out here.
      for (let millis = 500; millis < 520; millis++) {
        assert.isTrue(HybridClock.observe(clock, Stamp.fromMillis(at(millis)), at(0)))
        for (let count = 0; count < 5; count++) give(0)
      }
      HybridClock.restart(clock)
    }
    // So many in one millisecond that they would reach what begins a quarter of it later.
    for (let count = 0; count < 5_000; count++) give(600)
  })

  it("gives out rising values, above all that it received", () => {
    const clock = HybridClock.make({ clockAheadMillisMax: 1_000 })
    HybridClock.restart(clock)
    let last = 0
    for (const received of [0, 1, 1_023, 1_024, 1_025, 2_047, 2_048, 4_095, 4_096, 9_000]) {
      const value = Stamp.fromMillis(at(10)) + received
      assert.isTrue(HybridClock.observe(clock, value, at(0)))
      const next = HybridClock.next(clock, at(0), 0)
      assert.isAbove(next, value)
      assert.isAbove(next, last)
      last = next
    }
  })
})
