/** Two members that know each other, and what tests of the public API say of failures. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import type { Options } from "../../../src/domain/Configuration.ts"
import type { Reason } from "../../../src/domain/McCacheError.ts"
import { McCacheError } from "../../../src/domain/McCacheError.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"
import type { Cache } from "../../../src/services/Cache.ts"
import type { CacheOptions } from "../../../src/services/Opening.ts"

/** Two members, with one namespace open at both: `options` at the writer, and at the reader where it has no others. */
export const pair = Effect.fnUntraced(function*<V = unknown>(
  options?: CacheOptions<V>,
  settings: { readonly options?: Options; readonly reader?: CacheOptions<V> } = {}
) {
  yield* TestClock.setTime(Date.UTC(2026, 0))
  const cluster = yield* Cluster.make({ seed: 7, options: settings.options })
  const a = yield* cluster.join("a")
  const b = yield* cluster.join("b")
  const writer = yield* a.mccache.cache<V>("n", options)
  const reader = yield* b.mccache.cache<V>("n", settings.reader ?? options)
  yield* cluster.advance("3 seconds")
  return { cluster, a, b, writer, reader }
})

/** The `McCacheError` that the effect fails with: it must have the reason. */
export const fails = <A>(effect: Effect.Effect<A, McCacheError>, tag: Reason["_tag"]): Effect.Effect<McCacheError> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Exit.findErrorOption(exit)) : undefined
    assert.instanceOf(error, McCacheError, `expected ${tag}, got ${String(exit)}`)
    assert.strictEqual(error.reason._tag, tag)
    return error
  })

/** All entries. */
export const pairs = <V>(cache: Cache<V>) => Effect.map(cache.entries, (entries) => [...entries])
