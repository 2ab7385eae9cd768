/** That every mutant still fits the source: a refactoring that loses one is noticed at once, not when mutants are run. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { invariants } from "../src/testing.ts"
import { mutants } from "./mutants/Mutants.ts"

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

describe("mutants", () => {
  it("are at least forty, each with its own name", () => {
    assert.isAtLeast(mutants.length, 40)
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
    for (const { name } of mutants) assert.match(name, /^\S.*\S$/)
  })

  it("name invariants that exist", () => {
    for (const { invariants: expected, name, what } of mutants) {
      assert.isNotEmpty(expected, name)
      for (const number of expected) assert.property(invariants, String(number), name)
      assert.match(what, /^[A-Z].*\.$/s, name)
    }
  })

  for (const { file, find, name, replace } of mutants) {
    it(`${name}: changes exactly one place of ${file}, and leaves it valid`, () => {
      const source = read(file)
      assert.strictEqual(source.split(find).length - 1, 1, `how often ${JSON.stringify(find)} is there`)
      assert.notStrictEqual(find, replace)
      assert.doesNotThrow(() => stripTypeScriptTypes(source.replace(find, () => replace)))
    })
  }
})
