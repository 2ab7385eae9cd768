/** What a stress test finds in what members hold, and what it makes of it. */
import { assert, describe, it } from "@effect/vitest"
import type { Held, MemberReport } from "../../../src/runtime/stress/Conversation.ts"
import * as Verdict from "../../../src/runtime/stress/Verdict.ts"
import { report } from "./support/Outcomes.ts"

const held = (key: string, clock = 5, more: Partial<Held> = {}): Held => ({
  key,
  clock,
  writer: "aa".repeat(16),
  crc: 99,
  bytes: 40,
  tag: "0.1",
  ...more
})

const witness = (
  member: number,
  entries: ReadonlyArray<Held>,
  own: Verdict.Witness["listing"]["own"] = []
): Verdict.Witness => ({ member, listing: { held: entries, own } })

/** Kinds by key. */
const kinds = ({ differences }: Verdict.Comparison): ReadonlyArray<readonly [string, string]> =>
  differences.map(({ key, kind }) => [key, kind] as const)

describe("comparing", () => {
  it("finds nothing where all hold the same, in whatever order", () => {
    const comparison = Verdict.compare(
      [witness(1, [held("a"), held("b")], [["a", "0.1"]]), witness(2, [held("b"), held("a")])],
      1
    )
    assert.deepStrictEqual(comparison, { keys: 2, differences: [], forgotten: 0 })
  })

  it("says which keys differ, how, and at whom", () => {
    const { tag: _, ...nobodys } = held("damaged")
    const comparison = Verdict.compare([
      witness(1, [held("missing"), held("stamp"), held("value"), held("damaged")]),
      witness(2, [held("missing"), held("stamp"), held("value"), nobodys]),
      witness(3, [held("stamp", 6, { tag: "2.4" }), held("value", 5, { crc: 98 }), held("damaged")])
    ], 1)
    assert.deepStrictEqual(kinds(comparison), [
      ["missing", "missing"],
      ["stamp", "stamp"],
      ["value", "value"],
      ["damaged", "damaged"]
    ])
    const [missing, stamp] = comparison.differences
    assert.strictEqual(missing.how, "member 1, 2: 0.1 (stamp 5 of aaaaaaaa, crc 00000063, 40 bytes); member 3: nothing")
    assert.include(stamp.how, "member 3: 2.4 (stamp 6 of")
  })

  it("finds what all agree on and the only writer knows better", () => {
    const entries = [held("own-0-0"), held("own-0-1")]
    const comparison = Verdict.compare([
      witness(1, entries, [["own-0-0", "0.2"], ["own-0-1", null], ["own-0-2", "0.7"], ["own-0-3", null]]),
      witness(2, entries)
    ], 1)
    assert.deepStrictEqual(kinds(comparison), [["own-0-0", "stale"], ["own-0-1", "resurrected"]])
    assert.include(comparison.differences[0].how, "member 1, its only writer, wrote 0.2 last; member 1, 2: 0.1")
    assert.strictEqual(comparison.forgotten, 1)
  })

  it("lets members of modes 0 and 2 hold less, but nothing else", () => {
    for (const mode of [0, 2] as const) {
      const witnesses = [witness(1, [held("a"), held("b")]), witness(2, [held("b", 6)])]
      assert.deepStrictEqual(kinds(Verdict.compare(witnesses, mode)), [["b", "stamp"]])
    }
  })
})

describe("the verdict", () => {
  const clean: Verdict.Findings = {
    comparison: { keys: 3, differences: [], forgotten: 0 },
    drainMillis: 12,
    drainMillisMax: 30_000,
    deaths: [],
    reports: [report(1), report(2)]
  }
  const of = (more: Partial<Verdict.Findings>): ReadonlyArray<string> => Verdict.problems({ ...clean, ...more })
  const with2 = (more: Partial<MemberReport>): ReadonlyArray<string> =>
    of({ reports: [report(1), { ...report(2), ...more }] })

  it("is to pass when nothing was found", () => {
    assert.deepStrictEqual(of({}), [])
    assert.deepStrictEqual(of({ comparison: { keys: 3, differences: [], forgotten: 2 } }), [])
  })

  it("names every problem", () => {
    assert.deepStrictEqual(of({ deaths: ["member 2 ended with SIGKILL"] }), ["member 2 ended with SIGKILL"])
    assert.deepStrictEqual(
      of({ comparison: { keys: 3, differences: [{ key: "a", kind: "stamp", how: "" }], forgotten: 0 } }),
      ["members differ in 1 of 3 keys"]
    )
    assert.deepStrictEqual(of({ drainMillis: undefined }), [
      "the members were not quiet within 30 s after the last change"
    ])
    assert.deepStrictEqual(with2({ damagedReads: 1 }), ["member 2 read 1 values that nobody wrote"])
    assert.deepStrictEqual(with2({ staleReads: 4 }), ["member 2 read 4 old values of keys that only it writes"])
    assert.deepStrictEqual(with2({ restarts: 1 }), ["member 2 had to restart 1 of its fibers"])
  })
})
