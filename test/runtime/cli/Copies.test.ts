import { assert, describe, it } from "@effect/vitest"
import * as Copies from "../../../src/runtime/cli/Copies.ts"

const mode1 = "mode=1 collision=tie eviction=updated"

const told = (member: string, quantum: number, hash: string, others: Partial<Copies.Told> = {}): Copies.Told => ({
  member,
  name: "users",
  fingerprint: mode1,
  sizing: "max=256 size=1024 ttlMillis=1000",
  caughtUp: true,
  count: 3,
  quantum,
  hash,
  ...others
})

/** One look a second; `wrote` of each says whether a write was counted. */
const verdicts = (
  looks: ReadonlyArray<readonly [wrote: boolean, ...told: ReadonlyArray<Copies.Told>]>
): ReadonlyArray<Copies.Verdict | undefined> => {
  let memory = Copies.empty
  return looks.map(([wrote, ...all], second) => {
    memory = Copies.observe(memory, all, () => wrote, second * 1_000)
    return memory.get("users")?.verdict
  })
}

describe("the copies of a namespace", () => {
  it("are equal when the digests of a quantum are, though members tell of it at different times", () => {
    assert.deepStrictEqual(
      verdicts([
        [false, told("a", 10, "x"), told("b", 11, "y")],
        [false, told("a", 11, "y"), told("b", 11, "y")],
        [true, told("a", 12, "z"), told("b", 11, "y")]
      ]),
      [{ type: "unknown" }, { type: "equal" }, { type: "equal" }]
    )
  })

  it("that differ while others write are changing, however long", () => {
    const looks = Array.from(
      { length: 20 },
      (_, look) => [true, told("a", 10 + look, `a${look}`), told("b", 10 + look, `b${look}`)] as const
    )
    assert.deepStrictEqual(verdicts(looks).at(-1), { type: "changing", millis: 19_000 })
  })

  it("differ when nothing was written since two quanta, and since when is told", () => {
    assert.deepStrictEqual(
      verdicts([
        [false, told("a", 10, "x"), told("b", 10, "x")],
        [true, told("a", 11, "y"), told("b", 11, "x")],
        [false, told("a", 12, "y"), told("b", 12, "x")],
        [false, told("a", 13, "y"), told("b", 13, "x")],
        [false, told("a", 14, "y"), told("b", 14, "x")],
        [false, told("a", 15, "y"), told("b", 15, "y")]
      ]),
      [
        { type: "equal" },
        { type: "changing", millis: 1_000 },
        { type: "changing", millis: 2_000 },
        { type: "differ", millis: 3_000 },
        { type: "differ", millis: 4_000 },
        { type: "equal" }
      ]
    )
  })

  it("are not compared where the members may hold different things", () => {
    const verdict = (...all: ReadonlyArray<Copies.Told>) => verdicts([[false, ...all]])[0]
    assert.deepStrictEqual(verdict(told("a", 10, "x")), { type: "single" })
    assert.deepStrictEqual(verdict(told("a", 10, "x"), told("b", 0, "", { caughtUp: false })), { type: "joining" })
    assert.deepStrictEqual(
      verdict(told("a", 10, "x"), told("b", 10, "y", { sizing: "max=512 size=1024 ttlMillis=1000" })),
      { type: "sizes" }
    )
    // Entries carry their own expiry.
    assert.deepStrictEqual(
      verdict(told("a", 10, "x"), told("b", 10, "x", { sizing: "max=256 size=1024 ttlMillis=9" })),
      { type: "equal" }
    )
    const mode0 = "mode=0 collision=tie eviction=used"
    assert.deepStrictEqual(
      verdict(told("a", 0, "", { fingerprint: mode0 }), told("b", 0, "", { fingerprint: mode0 })),
      { type: "mode", mode: "0" }
    )
    assert.deepStrictEqual(verdict(told("a", 10, "x"), told("b", 0, "", { fingerprint: mode0 })), { type: "conflict" })
  })

  it("are those of the members that are there", () => {
    assert.deepStrictEqual(
      verdicts([
        [false, told("a", 10, "x"), told("b", 10, "x"), told("c", 10, "w")],
        [false, told("a", 11, "x"), told("b", 11, "x")],
        [false, told("a", 12, "x")]
      ]),
      [{ type: "changing", millis: 0 }, { type: "equal" }, { type: "single" }]
    )
  })
})
