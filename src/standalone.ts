/**
 * McCache for code without Effect: the same cache behind plain calls and Promises. What is local is synchronous, what
 * waits for others is a Promise; errors are `McCacheError`, thrown or rejected.
 *
 * @example
 * ```ts
 * import { open } from "mccache/standalone"
 *
 * const mccache = await open({ cluster: "shop" })
 * const users = mccache.cache<{ name: string }>("users")
 * users.set("42", { name: "Ada" })
 * console.log(users.get("42"))
 * await mccache.close()
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Options } from "./domain/Configuration.ts"
import type { Key } from "./domain/Key.ts"
import { McCacheError } from "./domain/McCacheError.ts"
import * as Open from "./runtime/Open.ts"
import * as Ping from "./runtime/Ping.ts"
import * as PrometheusHandler from "./runtime/PrometheusHandler.ts"
import type { ScrapeRequest, ScrapeResponse } from "./runtime/PrometheusHandler.ts"
import type { Sources } from "./runtime/Settings.ts"
import type { WriteOptions } from "./services/Cache.ts"
import {
  type CacheCore,
  closedError,
  type Fill,
  type Metadata,
  type NamespaceMetrics,
  type SetOptions
} from "./services/CacheCore.ts"
import type { Change } from "./services/Changes.ts"
import type { ClusterEvent } from "./services/ClusterEvent.ts"
import type { Gathered, GatherOptions, MemberInfo } from "./services/Gather.ts"
import type { Member } from "./services/Member.ts"
import type { CacheOptions } from "./services/Opening.ts"
import * as Prometheus from "./services/Prometheus.ts"
import type { MemberMetrics } from "./services/Reports.ts"
import type { Flushed, WaitOptions } from "./services/Waits.ts"

export type { Key, Options }
export type { WriteOptions } from "./services/Cache.ts"
export type { Metadata, NamespaceMetrics, SetOptions } from "./services/CacheCore.ts"
export type { Change, ChangedSinceRead } from "./services/Changes.ts"
export type { ClusterEvent } from "./services/ClusterEvent.ts"
export type { Gathered, GatherOptions, MemberInfo } from "./services/Gather.ts"
export type { CacheOptions } from "./services/Opening.ts"
export type { MemberMetrics } from "./services/Reports.ts"
export type { Acknowledgement, Flushed, WaitOptions } from "./services/Waits.ts"
export { McCacheError }

/** Runs an effect, with the program's telemetry, as a Promise that rejects with what the effect fails with. */
type Run = <A>(effect: Effect.Effect<A, unknown>) => Promise<A>

/** The longest that a timer of Node's may take. */
const timerMillisMax = 2 ** 31 - 1

const runWith = (context: Context.Context<never>): Run => {
  const run = Effect.runPromiseExitWith(context)
  return async (effect) => {
    // A Promise holds no process: with `unref` one that only waits for others would end in the midst of an `await`.
    const alive = setInterval(() => undefined, timerMillisMax)
    try {
      const exit = await run(effect)
      if (Exit.isSuccess(exit)) return exit.value
      throw Cause.squash(exit.cause)
    } finally {
      clearInterval(alive)
    }
  }
}

/** How a cache runs what waits. */
interface Running {
  readonly run: Run
  /** Whether somebody looks at spans. */
  readonly traced: boolean
}

const untraced: Running = { run: runWith(Context.empty()), traced: false }

/**
 * A namespace, read as a `Map`: `get`, `set`, `has`, `delete`, `clear`, `size`, iteration, and more. A key is a non-empty
 * string or a finite number. Values are copied by encoding when they are set: changing an object afterwards changes
 * nothing in the cache.
 *
 * @since 0.1.0
 * @category models
 */
export class StandaloneCache<V> {
  readonly name: string
  readonly #core: CacheCore<V>
  readonly #member: Member
  readonly #running: Running
  readonly #computing = new Map<Key, { readonly fill: Fill<V>; readonly computing: Promise<V> }>()
  readonly #listeners = new Map<(change: Change) => void, Fiber.Fiber<void>>()

  constructor(core: CacheCore<V>, member: Member, running: Running = untraced) {
    this.name = core.name
    this.#core = core
    this.#member = member
    this.#running = running
  }

  /** The value or `undefined`, counted as a lookup. */
  get(key: Key): V | undefined {
    return this.#core.get(key)
  }

  /** The same, under the name that it has for Effect programs. */
  getUnsafe(key: Key): V | undefined {
    return this.#core.get(key)
  }

  /** The value or `undefined`, not counted, not a use. */
  peek(key: Key): V | undefined {
    return this.#core.peek(key)
  }

  has(key: Key): boolean {
    return this.#core.has(key)
  }

  /**
   * Writes through: readable here on return, on its way to the others. With `ack`, a Promise that resolves when that many
   * members have applied it; it rejects with `AckTimeout` otherwise.
   */
  set(key: Key, value: V, options: WriteOptions & { readonly ack: NonNullable<WriteOptions["ack"]> }): Promise<this>
  set(key: Key, value: V, options?: WriteOptions): this
  set(key: Key, value: V, options?: WriteOptions): this | Promise<this> {
    if (options?.ack !== undefined) return this.#write(options, () => this.#core.set(key, value, options))
    this.#core.set(key, value, options)
    return this
  }

  /** Writes all, or none when one cannot be stored. */
  setMany(
    entries: Iterable<readonly [Key, V]>,
    options: WriteOptions & { readonly ack: NonNullable<WriteOptions["ack"]> }
  ): Promise<this>
  setMany(entries: Iterable<readonly [Key, V]>, options?: WriteOptions): this
  setMany(entries: Iterable<readonly [Key, V]>, options?: WriteOptions): this | Promise<this> {
    return this.#write(options, () => this.#core.setMany(entries, options))
  }

  #write(options: WriteOptions | undefined, apply: () => void): this | Promise<this> {
    const ack = options?.ack
    if (ack === undefined) {
      apply()
      return this
    }
    try {
      this.#member.checkAcknowledgement(ack, { timeout: options?.timeout })
      apply()
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
    return this.#running.run(Effect.as(this.#member.acknowledged(ack, { timeout: options?.timeout }), this))
  }

  /** The value if there is one; else writes and returns the given one. */
  setDefault(key: Key, value: V, options?: SetOptions): V {
    return this.#core.setDefault(key, value, options)
  }

  /**
   * The value, or what `compute` gives: computed once at a time per key in this process, stored unless something newer
   * arrived meanwhile. A failure is not cached, and rejects for everyone who waited.
   */
  async getOrSet(key: Key, compute: () => V | PromiseLike<V>, options?: SetOptions): Promise<V> {
    const hit = this.#core.lookup(key)
    if (hit !== undefined) return hit.value
    const running = this.#computing.get(key)
    if (running !== undefined) {
      if (!running.fill.overtaken()) return running.computing
      // What was overtaken by a delete or a set before this call is not for it: it waits its turn.
      await running.computing.catch(() => undefined)
      return this.getOrSet(key, compute, options)
    }
    const fill = this.#core.beginFill(key, options)
    const computing = (async () => {
      try {
        const value = await this.#compute(compute)
        fill.store(value)
        return value
      } finally {
        fill.end()
      }
    })()
    this.#computing.set(key, { fill, computing })
    // Not in the `finally` above: a `compute` that throws at once gets there before the line above.
    const done = () => void this.#computing.delete(key)
    computing.then(done, done)
    return computing
  }

  /** Computes within a span, which is also the parent of what OpenTelemetry makes of the computation. */
  #compute(compute: () => V | PromiseLike<V>): V | PromiseLike<V> {
    if (!this.#running.traced) return compute()
    const computed = Effect.tryPromise({ try: async () => compute(), catch: (error) => error })
    return this.#running.run(
      Effect.withSpan(computed, "McCache.getOrSet", { attributes: { "mccache.namespace": this.name } })
    )
  }

  /** Deletes everywhere; whether it was there, here. */
  delete(key: Key): boolean {
    return this.#core.delete(key)
  }

  /** Deletes everywhere; how many were there, here. */
  deleteMany(keys: Iterable<Key>): number {
    return this.#core.deleteMany(keys)
  }

  /** The value, deleted; `undefined` when there is none. */
  pop(key: Key): V | undefined {
    return this.#core.pop(key)?.value
  }

  /** The first entry in iteration order, deleted; `undefined` when empty. */
  popItem(): [Key, V] | undefined {
    return this.#core.popItem()
  }

  /** Empties the namespace everywhere. */
  clear(): void {
    this.#core.clear()
  }

  get size(): number {
    return this.#core.size
  }

  /** Encoded keys and values. */
  get bytes(): number {
    return this.#core.bytes
  }

  keys(): IterableIterator<Key> {
    return this.#core.keys()
  }

  values(): IterableIterator<V> {
    return this.#core.values()
  }

  entries(): IterableIterator<[Key, V]> {
    return this.#core.entries()
  }

  [Symbol.iterator](): IterableIterator<[Key, V]> {
    return this.#core.entries()
  }

  forEach(callback: (value: V, key: Key, cache: StandaloneCache<V>) => void, thisArgument?: unknown): void {
    for (const [key, value] of this.#core.entries()) callback.call(thisArgument, value, key, this)
  }

  metadata(key: Key): Metadata | undefined {
    return this.#core.metadata(key)
  }

  metrics(): NamespaceMetrics {
    if (this.#member.closed()) throw closedError()
    return this.#core.metrics
  }

  /** Of the key's entry (`undefined`: not there), or of all entries. Equal at members that hold the same. */
  checksum(key?: Key): string | undefined {
    return this.#core.checksum(key)
  }

  /**
   * Calls the listener for every change from now on, local and remote: a moment later, never inside the call that caused it. What
   * it throws is reported as uncaught.
   */
  on(event: "change", listener: (change: Change) => void): this {
    requireEvent(event, ["change"])
    if (this.#member.closed()) throw closedError()
    if (this.#listeners.has(listener)) return this
    this.#listeners.set(listener, listen(this.#core.namespace.changes.stream, listener))
    return this
  }

  off(event: "change", listener: (change: Change) => void): this {
    requireEvent(event, ["change"])
    const fiber = this.#listeners.get(listener)
    if (fiber === undefined) return this
    this.#listeners.delete(listener)
    Effect.runFork(Fiber.interrupt(fiber))
    return this
  }

  readonly [Symbol.toStringTag] = "McCache"
}

const requireEvent = (event: string, known: ReadonlyArray<string>): void => {
  if (!known.includes(event)) {
    throw new TypeError(`There is no event ${JSON.stringify(event)}; there is ${known.join(", ")}.`)
  }
}

/** Calls a listener for each element; one that throws harms neither the cache nor the other listeners. */
const listen = <A>(stream: Stream.Stream<A>, listener: (value: A) => void): Fiber.Fiber<void> =>
  Effect.runFork(Stream.runForEach(stream, (value) =>
    Effect.sync(() => {
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    })))

/**
 * An open McCache.
 *
 * @since 0.1.0
 * @category models
 */
export class Standalone {
  /** This member's id. */
  readonly id: string
  readonly #member: Member
  readonly #caches = new Map<string, StandaloneCache<never>>()
  readonly #listeners = new Map<(event: ClusterEvent) => void, Fiber.Fiber<void>>()
  readonly #release: () => Promise<void>
  readonly #running: Running
  #closing: Promise<void> | undefined

  constructor(member: Member, release: () => Promise<void>, running: Running) {
    this.id = member.id
    this.#member = member
    this.#release = release
    this.#running = running
  }

  /** The namespace, opened on first use (default name `default`). Throws `OptionsConflict`, `InvalidConfig`, `Closed`. */
  cache<V = unknown>(name = "default", options?: CacheOptions<V>): StandaloneCache<V> {
    const core = this.#member.cache(name, options)
    let cache = this.#caches.get(name)
    if (cache === undefined) {
      cache = new StandaloneCache(core, this.#member, this.#running) as unknown as StandaloneCache<never>
      this.#caches.set(name, cache)
    }
    return cache as unknown as StandaloneCache<V>
  }

  /** Clears everywhere: all namespaces or one; with `node`, only at that member. */
  clear(options?: { readonly name?: string | undefined; readonly node?: string | undefined }): Promise<void> {
    return this.#running.run(this.#member.clear(options))
  }

  members(): ReadonlyArray<MemberInfo> {
    return this.#member.members()
  }

  localMetrics(name?: string): MemberMetrics {
    if (this.#member.closed()) throw closedError()
    return this.#member.localMetrics(name)
  }

  /** The metrics of this member in the text format of Prometheus. */
  async prometheus(): Promise<string> {
    if (this.#member.closed()) throw closedError()
    return this.#running.run(Prometheus.text(this.#member.metricRegistry))
  }

  /** A listener for a server of `node:http`, that answers every GET with the metrics: `createServer(mccache.prometheusHandler())`. */
  prometheusHandler(): (request: ScrapeRequest, response: ScrapeResponse) => void {
    return PrometheusHandler.make(() => this.prometheus())
  }

  /** Of a key, a namespace, or all namespaces. */
  localChecksum(name?: string, key?: Key): string | undefined {
    return this.#member.localChecksum(name, key)
  }

  clusterMetrics(options?: GatherOptions): Promise<Gathered<MemberMetrics>> {
    return this.#running.run(this.#member.clusterMetrics(options))
  }

  clusterChecksum(options?: GatherOptions & { readonly key?: Key | undefined }): Promise<Gathered<string | undefined>> {
    return this.#running.run(this.#member.clusterChecksum(options))
  }

  /** Resolves when every member live at the call has applied all that was written here before it. */
  flush(options?: WaitOptions): Promise<Flushed> {
    return this.#running.run(this.#member.flush(options))
  }

  /** Resolves when every open namespace has caught up with the cluster, or nobody else is there. */
  ready(): Promise<void> {
    return this.#running.run(this.#member.ready)
  }

  /** Calls the listener for membership, incoherence, lag and loss events, a moment later. */
  on(event: "event", listener: (event: ClusterEvent) => void): this {
    requireEvent(event, ["event"])
    if (this.#member.closed()) throw closedError()
    if (!this.#listeners.has(listener)) this.#listeners.set(listener, listen(this.#member.events, listener))
    return this
  }

  off(event: "event", listener: (event: ClusterEvent) => void): this {
    requireEvent(event, ["event"])
    const fiber = this.#listeners.get(listener)
    this.#listeners.delete(listener)
    if (fiber !== undefined) Effect.runFork(Fiber.interrupt(fiber))
    return this
  }

  /** The largest UDP payload that reaches an address in one piece, in bytes; measured with the system's `ping`. */
  mtu(ip: string): Promise<number> {
    return this.#running.run(Ping.mtu(ip))
  }

  /** Hops to an address, at most `max`; measured with the system's `ping`. */
  hops(ip: string, max?: number): Promise<number> {
    return this.#running.run(Ping.hops(ip, max))
  }

  /** Sends what is queued (for a bounded time), says farewell, ends everything. Calling it again is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#release()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * What `open` takes beside the configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenOptions extends Options, Open.ProcessOptions {
  /**
   * Where traces and logs go, and how metrics are exported: a layer of `mccache/telemetry`, or of Effect's own exporters. It ends
   * with `close`.
   */
  readonly telemetry?: Layer.Layer<never> | undefined
}

/**
 * Opens McCache. Options win over environment variables, which win over the `"mccache"` field of the nearest
 * `package.json`. Rejects with `InvalidConfig` or `NetworkFailed`. The process ends only after `close`, unless `unref`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = async (
  { telemetry = Layer.empty, ...options }: OpenOptions = {},
  sources: Sources = {}
): Promise<Standalone> => {
  const scope = Effect.runSync(Scope.make())
  const release = () => untraced.run(Scope.close(scope, Exit.void))
  try {
    const context = await untraced.run(Layer.buildWithScope(telemetry, scope))
    const run = runWith(context)
    const member = await run(
      Open.member(options, sources).pipe(
        // The standard output belongs to the program.
        Effect.provideService(Logger.LogToStderr, true),
        Effect.provideContext(Context.add(context, Scope.Scope, scope))
      )
    )
    return new Standalone(member, release, { run, traced: telemetry !== Layer.empty })
  } catch (error) {
    await release()
    throw error
  }
}
