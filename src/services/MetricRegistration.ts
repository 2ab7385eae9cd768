/**
 * Puts the series of a member into a registry of Effect metrics, where exporters find them, and takes them out again.
 *
 * Every series carries the attribute `cluster`, beside those that the program set in `Metric.CurrentMetricAttributes` when the
 * member was opened. Two open members of one cluster in one registry have the same series, of which the younger's stay: a
 * program that has such gives each an attribute of its own.
 *
 * When the member ends its gauges go. Its counters stay, at their last value and without holding on to the member: exporters
 * collect once more when they end, which is after the member.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Definition, MetricSources, Reading } from "./MetricDefinition.ts"
import { definitions } from "./MetricTable.ts"
import type { Namespace } from "./Namespace.ts"

export interface MetricRegistration {
  /** Registers the series where the context says, with its further attributes: those that are there, and what is opened later. */
  readonly into: (context: Context.Context<never>) => void
  /** A registry with the series of this member alone: made when it is first asked for. */
  readonly registry: () => Metric.MetricRegistry
  /** A namespace was opened. */
  readonly opened: (namespace: Namespace) => void
  /** The member ended. Calling it again does nothing. */
  readonly end: () => void
}

type Source = { readonly member: MetricSources } | { readonly namespace: Namespace }

const idle = () => undefined

/** The metrics of a member, nowhere yet: simulations of a thousand members need none of them. */
export const make = (member: MetricSources, cluster: string): MetricRegistration => {
  const sources: Array<Source> = [{ member }]
  const registrars: Array<(source: Source) => void> = []
  const ends: Array<() => void> = []
  let alone: Metric.MetricRegistry | undefined

  const into = (context: Context.Context<never>): void => {
    const registrar = registrarOf(context, cluster, ends)
    registrars.push(registrar)
    sources.forEach(registrar)
  }

  return {
    into,
    registry: () => {
      if (alone === undefined) {
        alone = new Map()
        into(Context.make(Metric.MetricRegistry, alone))
      }
      return alone
    },
    opened: (namespace) => {
      sources.push({ namespace })
      for (const registrar of registrars) registrar({ namespace })
    },
    end: () => {
      for (const end of ends.splice(0)) end()
    }
  }
}

/** Registers series; `ends` is told how to end each. */
const registrarOf = (
  context: Context.Context<never>,
  cluster: string,
  ends: Array<() => void>
): (source: Source) => void => {
  const shared = { ...Context.get(context, Metric.CurrentMetricAttributes), cluster }
  // Nothing else of a context matters here, and each series makes a copy.
  const registry = Context.make(Metric.MetricRegistry, Context.get(context, Metric.MetricRegistry))

  /** The series' own attributes select it within its metric. */
  const contextOf = (attributes: Metric.Metric.AttributeSet): Context.Context<never> =>
    Context.add(registry, Metric.CurrentMetricAttributes, { ...shared, ...attributes })

  /** Registers one that outlives the member. */
  const lasting = <State>(metric: Metric.Metric<number, State>, [attributes, live]: Reading<State>): void => {
    let read = live
    Metric.registerUnsafe(metric, contextOf(attributes), { get: () => read(), update: idle, modify: idle })
    ends.push(() => {
      const last = read()
      read = () => last
    })
  }

  const register = (definition: Definition, source: Source): void => {
    switch (definition.kind) {
      case "counter":
        for (const [attributes, read] of readings(definition, source)) {
          lasting(definition.metric, [attributes, () => ({ count: read(), incremental: true })])
        }
        return
      case "histogram":
        for (const reading of readings(definition, source)) lasting(definition.metric, reading)
        return
      case "gauge":
        for (const [attributes, read] of readings(definition, source)) {
          const hooks = { get: () => ({ value: read() }), update: idle, modify: idle }
          ends.push(Metric.registerUnsafe(definition.metric, contextOf(attributes), hooks).remove)
        }
    }
  }

  return (source) => {
    for (const definition of definitions) register(definition, source)
  }
}

/** The series of a metric that the member, or one of its namespaces, has. */
const readings = <A>(
  { ofMember, ofNamespace }: {
    readonly ofMember?: ((from: MetricSources) => ReadonlyArray<Reading<A>>) | undefined
    readonly ofNamespace?: ((namespace: Namespace) => ReadonlyArray<Reading<A>>) | undefined
  },
  source: Source
): ReadonlyArray<Reading<A>> => ("member" in source ? ofMember?.(source.member) : ofNamespace?.(source.namespace)) ?? []
