/**
 * `Cache<V>`: a namespace for Effect programs. Local work is synchronous inside its effect and touches no queue, no fiber
 * and no network; only `set` with `ack` waits for others.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { Key } from "../domain/Key.ts"
import { McCacheError } from "../domain/McCacheError.ts"
import { attempt } from "./Attempt.ts"
import type { CacheCore, Fill, Metadata, NamespaceMetrics, SetOptions } from "./CacheCore.ts"
import type { Change } from "./Changes.ts"
import type { Member } from "./Member.ts"
import type { Acknowledgement } from "./Waits.ts"

/**
 * How a value is written. `ttl`: **a plain number is seconds**, 0 is for ever. `ack`: wait until all members live at the
 * call, a majority of them, or that many *other* members have applied it; fails with `AckTimeout` after `timeout`
 * (default `protocol.ackTimeoutMillis`), the value being written all the same, or at once, before it is written, where fewer
 * members are known than it asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface WriteOptions extends SetOptions {
  readonly ack?: Acknowledgement | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * A `Map` that is the same in every process of the cluster.
 *
 * Errors: `InvalidKey` for a key that is none, `Unencodable` and `ValueTooLarge` for a value that cannot be stored,
 * `InvalidConfig` for a bad option, `Closed` after the McCache was closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cache<V> {
  readonly name: string
  /** The value, counted as a lookup. */
  readonly get: (key: Key) => Effect.Effect<Option.Option<V>, McCacheError>
  /** The value or `undefined`, at once, without an effect. Throws `McCacheError`. */
  readonly getUnsafe: (key: Key) => V | undefined
  /** The value, not counted, not a use. */
  readonly peek: (key: Key) => Effect.Effect<Option.Option<V>, McCacheError>
  readonly has: (key: Key) => Effect.Effect<boolean, McCacheError>
  /** Writes through: readable here on return, on its way to the others. */
  readonly set: (key: Key, value: V, options?: WriteOptions) => Effect.Effect<void, McCacheError>
  /** Writes all, or none when one cannot be stored. */
  readonly setMany: (entries: Iterable<readonly [Key, V]>, options?: WriteOptions) => Effect.Effect<void, McCacheError>
  /** The value if there is one; else writes and returns the given one. */
  readonly setDefault: (key: Key, value: V, options?: SetOptions) => Effect.Effect<V, McCacheError>
  /**
   * The value, or what `compute` gives: computed once at a time per key in this process, stored unless something newer
   * arrived meanwhile. A failure is not cached, and reaches everyone who waited.
   */
  readonly getOrSet: <E, R>(
    key: Key,
    compute: Effect.Effect<V, E, R>,
    options?: SetOptions
  ) => Effect.Effect<V, E | McCacheError, R>
  /** Deletes everywhere; whether it was there, here. */
  readonly delete: (key: Key) => Effect.Effect<boolean, McCacheError>
  /** Deletes everywhere; how many were there, here. */
  readonly deleteMany: (keys: Iterable<Key>) => Effect.Effect<number, McCacheError>
  /** The value, deleted. Not exclusive: another member may pop the same value. */
  readonly pop: (key: Key) => Effect.Effect<Option.Option<V>, McCacheError>
  /** The first entry in iteration order, deleted. */
  readonly popItem: () => Effect.Effect<Option.Option<readonly [Key, V]>, McCacheError>
  /** Empties the namespace everywhere. */
  readonly clear: () => Effect.Effect<void, McCacheError>
  /** Entries. */
  readonly size: Effect.Effect<number, McCacheError>
  /** Encoded keys and values, in bytes. */
  readonly bytes: Effect.Effect<number, McCacheError>
  /** Iterators skip what expired and survive writes, as a `Map`'s do. */
  readonly keys: Effect.Effect<IterableIterator<Key>, McCacheError>
  readonly values: Effect.Effect<IterableIterator<V>, McCacheError>
  readonly entries: Effect.Effect<IterableIterator<[Key, V]>, McCacheError>
  readonly metadata: (key: Key) => Effect.Effect<Option.Option<Metadata>, McCacheError>
  /**
   * What happens to keys from now on, told a moment later. A subscriber that falls behind by twice `max` of the namespace, at least
   * 4,096, misses the oldest.
   */
  readonly changes: Stream.Stream<Change>
  readonly metrics: Effect.Effect<NamespaceMetrics>
  /** Of the key's entry (none: not there), or of all entries. Equal at members that hold the same. */
  readonly checksum: (key?: Key) => Effect.Effect<string | undefined, McCacheError>
}

/** What one computation came to, for those that wait for it. */
type Computed<V, E> = Exit.Exit<V, E> | "again"

/** The Effect API over a namespace. */
export const make = <V>(
  core: CacheCore<V>,
  member: Pick<Member, "acknowledged" | "checkAcknowledgement">
): Cache<V> => {
  const computing = new Map<
    Key,
    { readonly fill: Fill<V>; readonly deferred: Deferred.Deferred<Computed<V, unknown>> }
  >()

  const optional = (hit: { readonly value: V } | undefined): Option.Option<V> =>
    hit === undefined ? Option.none() : Option.some(hit.value)

  const write = (options: WriteOptions | undefined, apply: () => void): Effect.Effect<void, McCacheError> => {
    const ack = options?.ack
    if (ack === undefined) return attempt(apply)
    return Effect.andThen(
      attempt(() => {
        // What cannot be reached fails before anything is written.
        member.checkAcknowledgement(ack, { timeout: options?.timeout })
        apply()
      }),
      member.acknowledged(ack, { timeout: options?.timeout })
    )
  }

  // Only what computes, or waits for it, has a span: a hit is a local read.
  const span = { attributes: { "mccache.namespace": core.name }, captureStackTrace: false }

  const getOrSet = <E, R>(
    key: Key,
    compute: Effect.Effect<V, E, R>,
    options?: SetOptions
  ): Effect.Effect<V, E | McCacheError, R> =>
    // An interruption must not fall between the beginning of a computation and the end that is promised to who waits.
    Effect.uninterruptibleMask((restore): Effect.Effect<V, E | McCacheError, R> => {
      const hit = core.lookup(key)
      if (hit !== undefined) return Effect.succeed(hit.value)
      const running = computing.get(key)
      if (running !== undefined) {
        // What was overtaken by a delete or a set before this call is not for it: it waits its turn.
        const late = running.fill.overtaken()
        return Effect.flatMap(
          restore(Effect.withSpan(Deferred.await(running.deferred), "McCache.getOrSet", span)),
          (computed): Effect.Effect<V, E | McCacheError, R> =>
            // The one who computed may have been interrupted: somebody else has to.
            computed === "again" || late ? restore(getOrSet(key, compute, options)) : computed as Exit.Exit<V, E>
        )
      }
      const fill = core.beginFill(key, options)
      const deferred = Deferred.makeUnsafe<Computed<V, unknown>>()
      computing.set(key, { fill, deferred })
      return restore(Effect.withSpan(compute, "McCache.getOrSet", span)).pipe(
        Effect.tap((value) => attempt(() => fill.store(value))),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            fill.end()
            computing.delete(key)
            const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
            Deferred.doneUnsafe(deferred, Effect.succeed(interrupted ? "again" as const : exit))
          })
        )
      )
    }).pipe(
      Effect.catchDefect((defect) => defect instanceof McCacheError ? Effect.fail(defect) : Effect.die(defect))
    )

  return {
    name: core.name,
    get: (key) => attempt(() => optional(core.lookup(key))),
    getUnsafe: (key) => core.get(key),
    peek: (key) => attempt(() => optional(core.glance(key))),
    has: (key) => attempt(() => core.has(key)),
    set: (key, value, options) => write(options, () => core.set(key, value, options)),
    setMany: (entries, options) => write(options, () => core.setMany(entries, options)),
    setDefault: (key, value, options) => attempt(() => core.setDefault(key, value, options)),
    getOrSet,
    delete: (key) => attempt(() => core.delete(key)),
    deleteMany: (keys) => attempt(() => core.deleteMany(keys)),
    pop: (key) => attempt(() => optional(core.pop(key))),
    popItem: () => attempt(() => Option.fromNullishOr(core.popItem())),
    clear: () => attempt(() => core.clear()),
    size: attempt(() => core.size),
    bytes: attempt(() => core.bytes),
    keys: attempt(() => core.keys()),
    values: attempt(() => core.values()),
    entries: attempt(() => core.entries()),
    metadata: (key) => attempt(() => Option.fromNullishOr(core.metadata(key))),
    changes: core.namespace.changes.stream,
    metrics: Effect.sync(() => core.metrics),
    checksum: (key) => attempt(() => core.checksum(key))
  }
}
