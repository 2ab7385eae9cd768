/**
 * The peers in one process, each set up for what McCache does too, as far as it can: a time to live of an hour, a bound of
 * entries, a bound of bytes. All are as their authors ship them.
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { Cacheable, createKeyv } from "cacheable"
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { LRUCache } from "lru-cache"
import { pack, unpack } from "msgpackr"
import type { Value } from "./LocalData.ts"
import type { Capacity } from "./PeersMcCache.ts"
import * as PeersMcCache from "./PeersMcCache.ts"
import { awaited, effectful, type Subject, synchronous } from "./PeersSubject.ts"

const hourMillis = 3_600_000

const bytesOf = ({ entries, entryBytes }: Capacity): number => Math.ceil(2 * entries * entryBytes) + 2 ** 24

/** A bare `Map`: no time to live, no bound. What a lookup costs at the least. */
const map = (): Subject => synchronous(new Map<string, Value>())

/** Objects by reference. Their size is taken as known: to find it out is not the peer's work. */
const lruCache = (capacity: Capacity): Subject => {
  const cache = new LRUCache<string, Value>({
    max: capacity.entries,
    maxSize: bytesOf(capacity),
    sizeCalculation: () => Math.ceil(capacity.entryBytes),
    ttl: hourMillis
  })
  return synchronous(cache)
}

/** What one writes who wants copies, bytes to send and an exact bound of bytes: encodes on `set`, decodes on each `get`. */
const msgpackrLru = (capacity: Capacity): Subject => {
  const cache = new LRUCache<string, Uint8Array>({
    max: capacity.entries,
    maxSize: bytesOf(capacity),
    sizeCalculation: (bytes, key) => bytes.length + key.length,
    ttl: hourMillis
  })
  const decoded = (bytes: Uint8Array | undefined): unknown => bytes === undefined ? undefined : unpack(bytes)
  return synchronous({
    get: (key) => decoded(cache.get(key)),
    set: (key, value) => cache.set(key, pack(value)),
    has: (key) => cache.has(key),
    delete: (key) => cache.delete(key),
    *entries() {
      for (const [key, bytes] of cache.entries()) yield [key, unpack(bytes)] as const
    }
  })
}

/** Clones on `set` and on `get`, as by default; bounded by entries. */
const cacheable = ({ entries }: Capacity): Subject => {
  const primary = createKeyv({ ttl: hourMillis, lruSize: entries })
  const cache = new Cacheable({ primary, ttl: hourMillis })
  return awaited({
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    has: (key) => cache.has(key),
    delete: (key) => cache.delete(key),
    // It has no iteration of its own; that of its store gives what is stored.
    entries: undefined
  }, { close: () => cache.disconnect() })
}

/** The memory driver alone, which stores JSON, as by default. It has no iteration. */
const bentocache = (capacity: Capacity): Subject => {
  const cache = new BentoCache({
    default: "memory",
    ttl: hourMillis,
    stores: {
      memory: bentostore().useL1Layer(memoryDriver({ maxItems: capacity.entries, maxSize: 4 * bytesOf(capacity) }))
    }
  })
  return awaited({
    get: (key) => cache.get<unknown>({ key }),
    set: (key, value) => cache.set({ key, value }),
    has: (key) => cache.has({ key }),
    delete: (key) => cache.delete({ key }),
    entries: undefined
  }, { close: () => cache.disconnectAll() })
}

/** Effect's own, without its lookups: `getOption`, `set`, `has`, `invalidate`. Bounded by entries. */
const effectCache = async ({ entries }: Capacity): Promise<Subject> => {
  const cache = await Effect.runPromise(Cache.make({
    capacity: entries,
    timeToLive: hourMillis,
    lookup: (key: string): Effect.Effect<Value> => Effect.die(key)
  }))
  return effectful({
    get: (key) => Cache.getOption(cache, key),
    read: (key) => Effect.map(Cache.getOption(cache, key), Option.getOrUndefined),
    set: (key, value) => Cache.set(cache, key, value),
    has: (key) => Cache.has(cache, key),
    delete: (key) => Cache.invalidate(cache, key),
    entries: Cache.entries(cache)
  })
}

const subjects = {
  mccache: PeersMcCache.facade,
  "mccache-unsafe": PeersMcCache.unsafe,
  "mccache-effect": PeersMcCache.effect,
  "lru-cache": lruCache,
  "msgpackr+lru-cache": msgpackrLru,
  map,
  cacheable,
  bentocache,
  "effect-cache": effectCache
}

export type Name = keyof typeof subjects

export const names = Object.keys(subjects) as ReadonlyArray<Name>

export const open = async (name: Name, capacity: Capacity): Promise<Subject> => subjects[name](capacity)
