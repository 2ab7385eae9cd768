/**
 * What users test their own programs with: a simulated cluster on a deterministic network, and the checkers of the
 * invariants.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { Cluster } from "mccache/testing"
 *
 * it.effect("a write reaches the other member", () =>
 *   Effect.gen(function*() {
 *     const cluster = yield* Cluster.make({ seed: 1, faults: { loss: 0.1 } })
 *     const a = yield* cluster.join("a")
 *     const b = yield* cluster.join("b")
 *     yield* cluster.advance("1 second")
 *     const writer = yield* a.mccache.cache<number>("n")
 *     const reader = yield* b.mccache.cache<number>("n")
 *     yield* writer.set("x", 1)
 *     yield* cluster.advance("1 second")
 *     if (reader.getUnsafe("x") !== 1) throw new Error("not there")
 *   }).pipe(Effect.scoped))
 * ```
 *
 * @since 0.1.0
 */
export * as MemoryNetwork from "./runtime/MemoryNetwork.ts"
export * as Checkers from "./runtime/testing/Checkers.ts"
export { invariants, Violation } from "./runtime/testing/Checkers.ts"
export * as Cluster from "./runtime/testing/Cluster.ts"
export { Network } from "./services/Network.ts"
