/** What a TypeScript program sees of all doors. It is compiled by the test, and run. */
import { Effect, Schema } from "effect"
import { type Cache, McCache, type McCacheError } from "mccache"
import { type Change, open, type Standalone, type StandaloneCache } from "mccache/standalone"
import { Cluster, invariants } from "mccache/testing"

const User = Schema.Struct({ name: Schema.String })
type User = typeof User.Type

const program: Effect.Effect<User, McCacheError> = Effect.gen(function*() {
  const mccache = yield* McCache
  const users: Cache<User> = yield* mccache.cache("users", { value: User })
  return yield* users.getOrSet("ada", Effect.succeed({ name: "Ada" }), { ttl: "1 minute" })
}).pipe(Effect.provide(McCache.layer({ cluster: "package", interface: "127.0.0.1" })))

const standalone = async (): Promise<string | undefined> => {
  const mccache: Standalone = await open({ cluster: "package", interface: "127.0.0.1" })
  const users: StandaloneCache<User> = mccache.cache("users", { value: User })
  users.on("change", (change: Change) => void change.key)
  const name: string | undefined = users.set("ada", { name: "Ada" }).get("ada")?.name
  await mccache.close()
  return name
}

// @ts-expect-error: were a type of the installed package `any`, this would compile, and the directive be the error.
export const wrong = (): Promise<number> => standalone()

const simulation = Effect.flatMap(Cluster.make({ seed: 1 }), (cluster) => cluster.join("a"))

console.log(JSON.stringify({
  effect: (await Effect.runPromise(program)).name,
  standalone: await standalone(),
  simulation: Effect.isEffect(simulation),
  invariants: Object.keys(invariants).length
}))
