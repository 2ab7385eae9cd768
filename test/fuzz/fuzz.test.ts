/** A short run of the fuzzers, the same each time. `npm run fuzz` is the long one. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { tags } from "../../src/domain/Operation.ts"
import { decoders } from "./Decoders.ts"
import * as Run from "./Run.ts"
import * as Siege from "./Siege.ts"

/** Generous: the machine may be busy. */
const worstMillisMax = 50
const seed = 20_261

let captures: Run.Captures
const unhandled: Array<unknown> = []
const note = (reason: unknown): void => void unhandled.push(reason)

beforeAll(async () => {
  process.on("unhandledRejection", note)
  captures = await Run.capture()
})

afterAll(() => {
  process.off("unhandledRejection", note)
  assert.deepStrictEqual(unhandled, [])
})

describe("the capture that mutations begin with", () => {
  it("holds every operation but the reports of errors", () => {
    const without = Object.keys(tags).filter((tag) => tag !== "ERROR" && !captures.contents.tags.has(tag))
    assert.deepStrictEqual(without, [])
  })
})

describe("a decoder", () => {
  for (const decoder of decoders()) {
    for (const generator of Run.generators) {
      it(`of ${decoder.name} neither throws nor stalls on ${generator} bytes`, () => {
        const next = Run.inputs(decoder, generator, captures.contents, seed)
        const { accepted, worstAgainMillis } = Run.feed(decoder, next, 5_000)
        assert.isBelow(worstAgainMillis, worstMillisMax)
        if (generator !== "random") assert.isAbove(accepted, 0)
      })
    }
  }
})

describe("a live member", () => {
  for (const kind of Siege.kinds) {
    for (const keyed of [false, true]) {
      it(`${keyed ? "with" : "without"} a key holds out against datagrams that are ${kind}`, async () => {
        const result = await Run.siege(captures, { seed, kind, keyed, datagrams: 2_000 })
        assert.isBelow(result.medianMillis, worstMillisMax)
        if (kind === "hostile") assert.isAbove(result.operations, 500)
      })
    }
  }
})
