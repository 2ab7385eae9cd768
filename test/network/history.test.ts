/** The judge of the other tests finds what it is there to find. */
import { assert, describe, it } from "@effect/vitest"
import type { Fact, Held, Stamp } from "./support/Conversation.ts"
import { History } from "./support/History.ts"

const at = (clock: number, writer = "a"): Stamp => [clock, writer]
const held = (key: string, stamp: Stamp, digest: string, crc = 1): Held => ({ key, stamp, crc, digest })

/** What is broken when two members, a and b, did and saw this, and hold that in the end. */
const broken = (
  facts: { readonly [member: string]: ReadonlyArray<Fact> },
  end: { readonly [member: string]: ReadonlyArray<Held> } = {}
): ReadonlyArray<string> => {
  const history = new History()
  for (const id of ["a", "b"]) history.begin(id, id)
  for (const [id, its] of Object.entries(facts)) {
    for (const fact of its) history.take(id, fact)
  }
  if (Object.keys(end).length > 0) history.settle(new Map(Object.entries(end)))
  return history.violations.map((text) => text.split(":", 1)[0])
}

describe("the history", () => {
  const wrote: Fact = ["set", "k", at(10), "x"]

  it("has nothing against members that agree", () => {
    const same = [held("k", at(12), "y")]
    assert.deepStrictEqual(
      broken(
        {
          a: [wrote, ["read", "k", at(10), "x"], ["gone", "k", at(10)], ["set", "k", at(12), "y"]],
          b: [["miss", "k"]]
        },
        { a: same, b: same }
      ),
      []
    )
    assert.deepStrictEqual(broken({ a: [wrote, ["change", "k", "clear", at(11)]] }, { a: [], b: [] }), [])
  })

  it("finds members that hold different things", () => {
    assert.deepStrictEqual(
      broken({ a: [wrote, ["set", "k", at(9), "w"]] }, { a: [held("k", at(10), "x")], b: [held("k", at(9), "w")] }),
      ["invariant 1, b", "invariant 5, b"]
    )
    assert.deepStrictEqual(
      broken({ a: [wrote] }, { a: [held("k", at(10), "x")], b: [held("k", at(10), "x", 2)] }),
      ["invariant 1, b"]
    )
    assert.deepStrictEqual(
      broken({ a: [wrote] }, { a: [held("k", at(10), "x")], b: [] }),
      ["invariant 1, b", "invariant 5, b"]
    )
  })

  it("finds what was gone and is read again", () => {
    assert.deepStrictEqual(broken({ a: [wrote, ["gone", "k", at(10)], ["read", "k", at(10), "x"]] }), [
      "invariant 2, a"
    ])
    assert.deepStrictEqual(broken({ a: [["change", "k", "delete", at(11)], ["read", "k", at(10), "x"]] }), [
      "invariant 2, a"
    ])
    assert.deepStrictEqual(broken({ a: [["change", "k", "incoherent", at(10)], ["read", "k", at(10), "x"]] }), [
      "invariant 2, a"
    ])
    const back = [held("k", at(10), "x")]
    assert.deepStrictEqual(broken({ a: [wrote], b: [["change", "k", "delete", at(11)]] }, { a: back, b: back }), [
      "invariant 2, b",
      "invariant 2, a",
      "invariant 2, b"
    ])
  })

  it("finds an older value read after a newer one", () => {
    assert.deepStrictEqual(broken({ a: [["read", "k", at(10), "x"], ["miss", "k"], ["read", "k", at(9), "w"]] }), [
      "invariant 3, a"
    ])
    assert.deepStrictEqual(broken({ a: [["read", "k", at(9, "b"), "x"], ["read", "k", at(9, "a"), "w"]] }), [
      "invariant 3, a"
    ])
  })

  it("finds bytes that nobody wrote", () => {
    assert.deepStrictEqual(broken({ b: [["read", "k", at(10), "z"]], a: [wrote] }), ["invariant 4, a"])
    const same = [held("k", at(10), "x")]
    assert.deepStrictEqual(broken({ a: [["read", "k", at(10), "x"]] }, { a: same, b: same }), ["invariant 4, a"])
  })

  it("finds what is lost, and what is older than what was there", () => {
    assert.deepStrictEqual(broken({ a: [wrote] }, { a: [], b: [] }), ["invariant 5, a", "invariant 5, b"])
    const older = [held("k", at(9), "w")]
    assert.deepStrictEqual(
      broken({ a: [wrote], b: [["set", "k", at(9), "w"]] }, { a: older, b: older }),
      ["invariant 5, a", "invariant 5, b"]
    )
  })
})
