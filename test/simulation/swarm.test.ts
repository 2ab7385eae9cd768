/**
 * Fifty random clusters of 3 to 7 members, each for two virtual minutes of loss, repetition, reordering, partitions, kills
 * and skewed clocks, then healed. A failure names its seed; `SWARM_SEED=17 npx vitest run test/simulation/swarm.test.ts`
 * runs that one alone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Swarm from "./support/Swarm.ts"

const only = process.env.SWARM_SEED
const seeds = only === undefined ? Array.from({ length: 50 }, (_, index) => index + 1) : [Number(only)]

describe("a random cluster under faults, then healed", () => {
  for (const seed of seeds) {
    it.effect(`keeps the invariants: seed ${seed}`, () =>
      Effect.gen(function*() {
        const result = yield* Swarm.run(seed, 120)
        assert.isAbove(result.operations, 1_000)
        assert.isAbove(result.datagrams, 1_000)
      }).pipe(Effect.scoped))
  }
})

for (const mode of [0, 2] as const) {
  describe(`in mode ${mode}`, () => {
    for (const seed of seeds.slice(0, 8)) {
      it.effect(`nothing comes back and what is held is the newest: seed ${seed}`, () =>
        Effect.gen(function*() {
          const result = yield* Swarm.run(seed, 60, mode)
          assert.isAbove(result.operations, 500)
        }).pipe(Effect.scoped))
    }
  })
}

describe("a seed", () => {
  const inAnotherProcess = async (seed: number): Promise<string> => {
    const program = fileURLToPath(new URL("support/trace.ts", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, String(seed), "20"])
    return stdout.trim()
  }

  it.effect("gives the same trace in another process, and another seed another one", () =>
    Effect.gen(function*() {
      const here = yield* Swarm.run(7, 20)
      Checkers.deterministic(here.trace, yield* Effect.promise(() => inAnotherProcess(7)))
      assert.notStrictEqual(here.trace, yield* Effect.promise(() => inAnotherProcess(8)))
    }).pipe(Effect.scoped))
})
