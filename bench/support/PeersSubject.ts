/**
 * A cache under measurement, McCache or a peer. It is asked for batches, never for single operations: the loop is inside,
 * written once for each of the three ways in which a cache is called, so that what is timed is the cache and no indirection.
 * What a batch returns depends on every result, so that the engine can leave nothing out.
 */
import * as Effect from "effect/Effect"
import type { Value } from "./LocalData.ts"

export interface Work {
  readonly keys: ReadonlyArray<string>
  /** Taken in turn; their number is a power of two. */
  readonly values: ReadonlyArray<Value>
  /** For `mix`, 1 where a key is set rather than got; their number is a power of two. */
  readonly writes: Uint8Array
}

/** Goes through `count` keys from the index `from` on, beginning anew at the end. Returns hits, and sets as such. */
export type Batch = (work: Work, from: number, count: number) => number | Promise<number>

export interface Subject {
  readonly get: Batch
  readonly set: Batch
  readonly has: Batch
  readonly delete: Batch
  readonly mix: Batch
  /** Passes once over all entries, keys and values; returns how many there were. Absent where there is no such thing. */
  readonly iterate: (() => number | Promise<number>) | undefined
  /** One value, to check. */
  readonly read: (key: string) => Promise<unknown>
  /** Whether something that was set still waits to be sent. */
  readonly pending: () => boolean
  readonly close: () => Promise<void>
}

type Ends = Partial<Pick<Subject, "pending" | "close">>

const ends = { pending: () => false, close: () => Promise.resolve() }

export interface Synchronous {
  readonly get: (key: string) => unknown
  readonly set: (key: string, value: Value) => unknown
  readonly has: (key: string) => boolean
  readonly delete: (key: string) => boolean
  readonly entries: () => Iterable<readonly [unknown, unknown]>
}

export const synchronous = (cache: Synchronous, ending: Ends = {}): Subject => ({
  get: ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (cache.get(keys[at]) !== undefined) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  set: ({ keys, values }, from, count) => {
    for (let n = 0, at = from; n < count; n++) {
      cache.set(keys[at], values[at & (values.length - 1)])
      if (++at === keys.length) at = 0
    }
    return count
  },
  has: ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (cache.has(keys[at])) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  delete: ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (cache.delete(keys[at])) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  mix: ({ keys, values, writes }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (writes[at & (writes.length - 1)] === 1) {
        cache.set(keys[at], values[at & (values.length - 1)])
        hits++
      } else if (cache.get(keys[at]) !== undefined) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  iterate: () => {
    let met = 0
    for (const [key, value] of cache.entries()) if (key !== undefined && value !== undefined) met++
    return met
  },
  read: (key) => Promise.resolve(cache.get(key)),
  ...ends,
  ...ending
})

export interface Awaited {
  readonly get: (key: string) => Promise<unknown>
  readonly set: (key: string, value: Value) => Promise<unknown>
  readonly has: (key: string) => Promise<boolean>
  readonly delete: (key: string) => Promise<boolean>
  readonly entries: (() => AsyncIterable<unknown>) | undefined
}

/** Each operation is awaited before the next, as one who needs its result must. */
export const awaited = (cache: Awaited, ending: Ends = {}): Subject => ({
  get: async ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (await cache.get(keys[at]) !== undefined) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  set: async ({ keys, values }, from, count) => {
    for (let n = 0, at = from; n < count; n++) {
      await cache.set(keys[at], values[at & (values.length - 1)])
      if (++at === keys.length) at = 0
    }
    return count
  },
  has: async ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (await cache.has(keys[at])) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  delete: async ({ keys }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (await cache.delete(keys[at])) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  mix: async ({ keys, values, writes }, from, count) => {
    let hits = 0
    for (let n = 0, at = from; n < count; n++) {
      if (writes[at & (writes.length - 1)] === 1) {
        await cache.set(keys[at], values[at & (values.length - 1)])
        hits++
      } else if (await cache.get(keys[at]) !== undefined) hits++
      if (++at === keys.length) at = 0
    }
    return hits
  },
  iterate: cache.entries && (async () => {
    let met = 0
    for await (const entry of cache.entries?.() ?? []) if (entry !== undefined) met++
    return met
  }),
  read: cache.get,
  ...ends,
  ...ending
})

export interface Effectful {
  /** Succeeds with an `Option`. */
  readonly get: (key: string) => Effect.Effect<{ readonly _tag: "Some" | "None" }, unknown>
  readonly read: (key: string) => Effect.Effect<unknown, unknown>
  readonly set: (key: string, value: Value) => Effect.Effect<void, unknown>
  readonly has: (key: string) => Effect.Effect<boolean, unknown>
  /** Whether it was there, where that is told. */
  readonly delete: (key: string) => Effect.Effect<boolean | void, unknown>
  readonly entries: Effect.Effect<Iterable<readonly [unknown, unknown]>, unknown>
}

/** One generator a batch, run by one `Effect.runSync`: the start of a fiber is spread over the batch, not paid by each operation. */
export const effectful = (cache: Effectful, ending: Ends = {}): Subject => ({
  get: ({ keys }, from, count) =>
    Effect.runSync(Effect.gen(function*() {
      let hits = 0
      for (let n = 0, at = from; n < count; n++) {
        if ((yield* cache.get(keys[at]))._tag === "Some") hits++
        if (++at === keys.length) at = 0
      }
      return hits
    })),
  set: ({ keys, values }, from, count) =>
    Effect.runSync(Effect.gen(function*() {
      for (let n = 0, at = from; n < count; n++) {
        yield* cache.set(keys[at], values[at & (values.length - 1)])
        if (++at === keys.length) at = 0
      }
      return count
    })),
  has: ({ keys }, from, count) =>
    Effect.runSync(Effect.gen(function*() {
      let hits = 0
      for (let n = 0, at = from; n < count; n++) {
        if (yield* cache.has(keys[at])) hits++
        if (++at === keys.length) at = 0
      }
      return hits
    })),
  delete: ({ keys }, from, count) =>
    Effect.runSync(Effect.gen(function*() {
      let hits = 0
      for (let n = 0, at = from; n < count; n++) {
        if ((yield* cache.delete(keys[at])) !== false) hits++
        if (++at === keys.length) at = 0
      }
      return hits
    })),
  mix: ({ keys, values, writes }, from, count) =>
    Effect.runSync(Effect.gen(function*() {
      let hits = 0
      for (let n = 0, at = from; n < count; n++) {
        if (writes[at & (writes.length - 1)] === 1) {
          yield* cache.set(keys[at], values[at & (values.length - 1)])
          hits++
        } else if ((yield* cache.get(keys[at]))._tag === "Some") hits++
        if (++at === keys.length) at = 0
      }
      return hits
    })),
  iterate: () =>
    Effect.runSync(Effect.map(cache.entries, (entries) => {
      let met = 0
      for (const [key, value] of entries) if (key !== undefined && value !== undefined) met++
      return met
    })),
  read: (key) => Effect.runPromise(cache.read(key)),
  ...ends,
  ...ending
})
