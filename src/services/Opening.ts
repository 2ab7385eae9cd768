/**
 * Opening namespaces: at most one of a name, with the same options at every member, or with an error that names both. A tool that
 * writes into the cluster from outside has *detached* ones, which only send, and of which no heartbeat tells.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Configuration } from "../domain/Configuration.ts"
import * as Invariant from "../domain/Invariant.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import * as Printable from "../domain/Printable.ts"
import { CacheCore, closedError } from "./CacheCore.ts"
import type { ChangedSinceRead } from "./Changes.ts"
import type { Housekeeper } from "./Housekeeper.ts"
import type { Multicaster } from "./Multicaster.ts"
import type { Host as NamespaceHost, Namespace } from "./Namespace.ts"
import * as Namespaces from "./Namespace.ts"
import * as ValueCodec from "./ValueCodec.ts"

/** What `cache(name, options)` takes. @category models */
export interface CacheOptions<V> extends NamespaceOptions.NamespaceOptions {
  /** The Schema of the values; without one, whatever the structured clone algorithm takes. */
  readonly value?: ValueCodec.ValueSchema<V> | undefined
  /** Called when another member changed a key that was looked up here not long ago. */
  readonly onChange?: ((change: ChangedSinceRead) => void) | undefined
}

/** So many broken folds within this time, and the namespace is transferred anew only when as much has passed. */
const brokenMax = 3
const brokenMillis = 60_000

/** An open namespace, with what it was asked for and what that came to. */
interface Opened {
  readonly core: CacheCore<never>
  readonly options: CacheOptions<never>
  readonly settings: NamespaceOptions.NamespaceSettings
}

/** Asking again for an open namespace must ask for the same; what is not asked for may be anything. */
const requireSame = <V>(
  configuration: Configuration,
  name: string,
  known: Opened,
  asked: CacheOptions<V>
): void => {
  const { onChange, value } = asked
  const option = value !== undefined && !Object.is(value, known.options.value)
    ? "value"
    : onChange !== undefined && onChange !== known.options.onChange
    ? "onChange"
    : NamespaceOptions.differing(configuration, known.settings, asked, name)
  if (option === undefined) return
  throw McCacheError.make(
    "OptionsConflict",
    `Cache ${JSON.stringify(name)} is open with another ${option}: open it once with its options, and then by name.`
  )
}

export interface Host
  extends Pick<NamespaceHost, "self" | "time" | "clock" | "counters" | "places" | "witness" | "settled">
{
  readonly configuration: Configuration
  readonly context: Context.Context<never>
  /** Of the member: namespaces live as long. */
  readonly scope: Scope.Scope
  /** Those that are open. */
  readonly open: Map<string, Namespace>
  /** Those that send: also the detached. */
  readonly all: Map<string, Namespace>
  /** The floor of clears of all namespaces. */
  readonly floor: () => number
  readonly closed: () => boolean
  readonly multicaster: Multicaster
  readonly housekeeper: Housekeeper
  readonly opened: (namespace: Namespace) => void
}

export interface Opening {
  readonly open: <V>(name: string, options: CacheOptions<V>) => CacheCore<V>
  /** Writes through it are above `clock`, whatever this member knows. */
  readonly detach: (name: string, options: NamespaceOptions.NamespaceOptions, clock: number) => CacheCore<unknown>
  /** The detached start anew. Whether something goes with it that was not sent yet. */
  readonly restartDetached: () => void
}

export const make = (host: Host): Opening => {
  const { closed, configuration, counters, housekeeper, multicaster, time } = host
  const cores = new Map<string, Opened>()
  const detached = new Map<string, CacheCore<unknown>>()
  const broken = new Map<string, Array<number>>()

  const runLog = (effect: Effect.Effect<void>): void => void Effect.runForkWith(host.context)(effect)

  const hostOf = (callbackWindowMillis: number): NamespaceHost => ({
    ...host,
    callbackWindowMillis,
    wakeMulticaster: multicaster.wake,
    overflowed: multicaster.skip,
    broken: (namespace) => {
      // Three broken folds in a minute: something is wrong that starting anew won't mend.
      const now = time.ticks()
      const times = [...(broken.get(namespace.name) ?? []).filter((at) => now - at < brokenMillis), now]
      broken.set(namespace.name, times)
      if (times.length < brokenMax) return housekeeper.restart(namespace, 0)
      runLog(Effect.logError(
        `McCache: namespace ${
          JSON.stringify(namespace.name)
        } broke an invariant ${times.length} times within a minute: ` +
          "it stays empty for a minute, but for what is written meanwhile. Please report this"
      ))
      housekeeper.restart(namespace, brokenMillis)
    }
  })

  const begin = (
    name: string,
    settings: NamespaceOptions.NamespaceSettings,
    onChange?: CacheOptions<never>["onChange"]
  ) => {
    const namespace = Effect.runSyncWith(host.context)(
      Namespaces.open(hostOf(settings.callbackWindowMillis), {
        name,
        options: settings,
        ttlMillis: settings.ttlMillis,
        fingerprint: NamespaceOptions.fingerprint(settings),
        sizing: NamespaceOptions.sizing(settings),
        onChange,
        floor: host.floor()
      }).pipe(Scope.provide(host.scope))
    )
    host.all.set(name, namespace)
    return namespace
  }

  const detach = (name: string, options: NamespaceOptions.NamespaceOptions, clock: number): CacheCore<unknown> => {
    if (closed()) throw closedError()
    NamespaceOptions.requireName(name)
    Invariant.check(!host.open.has(name), "a namespace that is open is written to as such")
    let core = detached.get(name)
    if (core === undefined) {
      const namespace = begin(name, NamespaceOptions.resolve(configuration, options, name))
      core = new CacheCore<unknown>(namespace, ValueCodec.structured(), { time, counters, closed })
      detached.set(name, core)
    }
    const { replica } = core.namespace
    replica.forget = Math.max(replica.forget, clock)
    return core
  }

  const open = <V>(name: string, options: CacheOptions<V>): CacheCore<V> => {
    if (closed()) throw closedError()
    NamespaceOptions.requireName(name)
    Invariant.check(!detached.has(name), "a namespace that is written to from outside is not opened")
    const known = cores.get(name)
    if (known !== undefined) {
      requireSame(configuration, name, known, options)
      return known.core as unknown as CacheCore<V>
    }
    const settings = NamespaceOptions.resolve(configuration, options, name)
    const fingerprint = NamespaceOptions.fingerprint(settings)
    for (const member of housekeeper.membership.members.values()) {
      const summary = member.summaries.get(name)
      if (summary === undefined || summary.fingerprint === fingerprint) continue
      const problem = `Cache ${JSON.stringify(name)} asks for ${fingerprint}, but member ${MemberLabel.of(member)} ` +
        `has it open with ${
          Printable.escaped(summary.fingerprint)
        }: use the same mode, collision and eviction at every member.`
      // Both logs tell it: whose options are the wrong ones nobody knows.
      runLog(Effect.logError(`McCache: ${problem}`))
      multicaster.send(member, { _tag: "ERROR", reason: "options", detail: problem.slice(0, 512) })
      throw McCacheError.make("OptionsConflict", problem)
    }
    const codec = options.value === undefined ? ValueCodec.structured<V>() : ValueCodec.ofSchema(options.value)
    for (const warning of NamespaceOptions.warnings(options)) runLog(Effect.logWarning(`McCache: ${warning}`))
    const namespace = begin(name, settings, options.onChange)
    namespace.sentBefore = multicaster.highest()
    host.open.set(name, namespace)
    housekeeper.opened(namespace)
    host.opened(namespace)
    const core = new CacheCore<V>(namespace, codec, { time, counters, closed })
    // One map holds caches of all value types. Which a namespace has is what its opener says: nothing else can know.
    cores.set(name, { core: core as unknown as CacheCore<never>, options: options as CacheOptions<never>, settings })
    return core
  }

  return {
    open,
    detach,
    restartDetached: () => {
      for (const { namespace } of detached.values()) namespace.startAnew()
    }
  }
}
