/**
 * The `McCache` service and its layers.
 *
 * @since 0.1.0
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Options } from "../domain/Configuration.ts"
import type { McCacheError } from "../domain/McCacheError.ts"
import type { McCacheService } from "../services/McCacheService.ts"
import * as McCacheServices from "../services/McCacheService.ts"
import type { Network } from "../services/Network.ts"
import * as Open from "./Open.ts"
import * as Ping from "./Ping.ts"
import type { Sources } from "./Settings.ts"

/**
 * A coherent cache, shared by the processes of a cluster.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { McCache } from "mccache"
 *
 * const program = Effect.gen(function*() {
 *   const mccache = yield* McCache
 *   const users = yield* mccache.cache<{ name: string }>("users")
 *   yield* users.set("42", { name: "Ada" }, { ttl: "10 minutes" })
 *   return yield* users.get("42")
 * })
 *
 * Effect.runPromise(program.pipe(Effect.provide(McCache.layer({ cluster: "shop" }))))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class McCache extends Context.Service<McCache, McCacheService>()("mccache/McCache") {
  /**
   * Opens McCache for the layer's scope. Options win over the environment, which wins over the `"mccache"` field of the
   * nearest `package.json`. Fails with `InvalidConfig` or `NetworkFailed`.
   */
  static readonly layer = (
    options: Options & Open.ProcessOptions = {},
    sources: Sources = {}
  ): Layer.Layer<McCache, McCacheError> =>
    Layer.effect(
      McCache,
      Effect.map(Open.member(options, sources), (member) => McCacheServices.make(member, Ping))
    )

  /**
   * As `layer`, on the `Network` that the program provides in place of UDP: `MemoryNetwork` of `mccache/testing`, or one of
   * its own. The program answers for who can listen there.
   */
  static readonly layerNetwork = (
    options: Options = {},
    sources: Sources = {}
  ): Layer.Layer<McCache, McCacheError, Network> =>
    Layer.effect(
      McCache,
      Effect.map(Open.memberOnNetwork(options, sources), (member) => McCacheServices.make(member, Ping))
    )

  /** As `layer`, reading the same names from Effect's own `ConfigProvider` in place of the environment. */
  static readonly layerConfig: Layer.Layer<McCache, McCacheError> = Layer.unwrap(
    Effect.map(ConfigProvider.ConfigProvider, (provider) => McCache.layer({}, { provider }))
  )
}
