/** McCache opened for a case: alone, or with members that the case starts itself, and large enough that nothing is evicted. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Options } from "../../src/index.ts"
import { McCache } from "../../src/index.ts"
import { open } from "../../src/standalone.ts"
import type { Value } from "./LocalData.ts"
import { effectful, type Subject, synchronous } from "./PeersSubject.ts"

export interface Capacity {
  /** Entries at most. */
  readonly entries: number
  /** Of one entry, encoded, on average. */
  readonly entryBytes: number
}

/** Nothing else here has the same cluster, nor, one in ten thousand processes apart, the same port. */
export const options = ({ entries, entryBytes }: Capacity, of: number = process.pid): Options => ({
  cluster: `bench-${of}`,
  multicastIp: `224.0.0.3:${20_000 + of % 10_000}`,
  cacheMax: entries,
  cacheSize: Math.ceil(2 * entries * entryBytes) + 2 ** 24,
  cacheTtl: "1 hour",
  logLevel: "error"
})

/** Behind plain calls. */
export const facade = async (capacity: Capacity): Promise<Subject> => {
  const mccache = await open(options(capacity))
  const cache = mccache.cache<Value>("bench")
  await mccache.ready()
  return synchronous(cache, { pending: () => cache.metrics().outbox > 0, close: () => mccache.close() })
}

const effects = async (capacity: Capacity) => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(McCache.layer(options(capacity)), scope))
  const mccache = Context.get(context, McCache)
  const cache = await Effect.runPromise(mccache.cache<Value>("bench"))
  await Effect.runPromise(mccache.ready)
  const subject = effectful(
    { ...cache, read: (key) => Effect.map(cache.get(key), Option.getOrUndefined), entries: cache.entries },
    {
      pending: () => Effect.runSync(cache.metrics).outbox > 0,
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  )
  return { cache, subject }
}

/** The Effect API. */
export const effect = async (capacity: Capacity): Promise<Subject> => (await effects(capacity)).subject

/** The Effect API, read with `getUnsafe`. */
export const unsafe = async (capacity: Capacity): Promise<Subject> => {
  const { cache, subject } = await effects(capacity)
  return {
    ...subject,
    get: ({ keys }, from, count) => {
      let hits = 0
      for (let n = 0, at = from; n < count; n++) {
        if (cache.getUnsafe(keys[at]) !== undefined) hits++
        if (++at === keys.length) at = 0
      }
      return hits
    }
  }
}
