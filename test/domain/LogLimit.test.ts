import { assert, describe, it } from "@effect/vitest"
import * as LogLimit from "../../src/domain/LogLimit.ts"

describe("a limit of log lines", () => {
  it("passes one line a second of each reason, and tells with the next how many it left out", () => {
    const limit = LogLimit.make(1_000)
    assert.strictEqual(LogLimit.pass(limit, "a", 0), 0)
    assert.strictEqual(LogLimit.pass(limit, "a", 1), undefined)
    assert.strictEqual(LogLimit.pass(limit, "b", 1), 0)
    assert.strictEqual(LogLimit.pass(limit, "a", 999), undefined)
    assert.strictEqual(LogLimit.pass(limit, "a", 1_000), 2)
    assert.strictEqual(LogLimit.pass(limit, "a", 2_000), 0)
  })

  it("tells what no later line tells, once", () => {
    const limit = LogLimit.make(1_000)
    for (let at = 0; at < 10; at++) LogLimit.pass(limit, "a", at)
    LogLimit.pass(limit, "b", 0)
    assert.deepStrictEqual(LogLimit.due(limit, 999), [])
    assert.deepStrictEqual(LogLimit.due(limit, 1_000), [{ reason: "a", leftOut: 9 }])
    assert.deepStrictEqual(LogLimit.due(limit, 5_000), [])
    // What was told just now counts as a line.
    assert.strictEqual(LogLimit.pass(limit, "a", 1_999), undefined)
  })

  it("loses nothing of what it is asked, whenever", () => {
    const limit = LogLimit.make(1_000)
    let told = 0
    let asked = 0
    for (let at = 0; at < 60_000; at += 1 + (at * 7_919) % 611) {
      asked++
      const leftOut = LogLimit.pass(limit, "a", at)
      if (leftOut !== undefined) told += 1 + leftOut
      for (const { leftOut } of LogLimit.due(limit, at)) told += leftOut
    }
    for (const { leftOut } of LogLimit.due(limit, 100_000)) told += leftOut
    assert.strictEqual(told, asked)
  })

  it("is not silenced by a clock that runs back", () => {
    const limit = LogLimit.make(1_000)
    assert.strictEqual(LogLimit.pass(limit, "a", 1_000_000), 0)
    assert.strictEqual(LogLimit.pass(limit, "a", 5), 0)
  })
})
