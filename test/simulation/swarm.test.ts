/**
 * The swarm in small: random clusters under random faults, as `npm run simulate` runs them by the thousand. A failure names its
 * seed; `npm run simulate -- --seed 17`, with the mode if there is one, shows it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import * as Plan from "./swarm/Plan.ts"
import * as Run from "./swarm/Run.ts"

describe("a random cluster under faults, then healed", () => {
  for (const [mode, seeds] of [[undefined, 60], [0, 10], [2, 10]] as const) {
    for (let seed = 1; seed <= seeds; seed++) {
      it.effect(`keeps the invariants: seed ${seed}${mode === undefined ? "" : ` in mode ${mode}`}`, () =>
        Effect.gen(function*() {
          const { datagrams } = yield* Run.run(Plan.make(seed, mode === undefined ? {} : { mode }))
          assert.isAbove(datagrams, 0)
        }).pipe(Effect.scoped))
    }
  }
})

describe("the checkers", () => {
  it.effect("do not take members for come together because what hides the difference is about to expire", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ options: { cacheTtl: 0 } })
      const caches = [yield* cluster.join("a"), yield* cluster.join("b")].map(({ member }) => member.cache<number>("n"))
      const observer = Checkers.observe(cluster, "n")
      yield* cluster.advance("2 seconds")
      cluster.partition([["a"], ["b"]])
      caches[0].set("k", 1, { ttl: 1 })
      yield* cluster.advance(10)
      caches[1].delete("k")
      // It is soon gone at both, and is no difference that has to be gone first; but the delete has not come.
      Checkers.convergence(observer)
      Checkers.newest(observer, true)
      assert.throws(() => Checkers.convergence(observer, 0), "1 keys differ")
      assert.throws(() => Checkers.newest(observer, true, 0), "b received")
      yield* cluster.advance("2 seconds")
      assert.throws(() => Checkers.newest(observer, true), "a knows nothing of")
      cluster.heal()
      yield* cluster.advance("10 seconds")
      Checkers.convergence(observer, 0)
      Checkers.newest(observer, true, 0)
    }).pipe(Effect.scoped))
})

describe("a seed", () => {
  const inAnotherProcess = async (seed: number): Promise<string> => {
    const program = fileURLToPath(new URL("support/trace.ts", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, String(seed)])
    return stdout.trim()
  }

  it.effect("gives the same trace in another process, and another seed another one", () =>
    Effect.gen(function*() {
      const { trace } = yield* Run.run(Plan.make(7))
      Checkers.deterministic(trace, yield* Effect.promise(() => inAnotherProcess(7)))
      assert.notStrictEqual(trace, yield* Effect.promise(() => inAnotherProcess(8)))
    }).pipe(Effect.scoped))
})
