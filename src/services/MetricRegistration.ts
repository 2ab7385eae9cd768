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
  /** A namespace was opened. */
  readonly opened: (namespace: Namespace) => void
  /** A registry with the series of this member alone: made when it is first asked for. */
  readonly registry: () => Metric.MetricRegistry
  /** The member ended. Calling it again does nothing. */
  readonly end: () => void
}

const idle = () => undefined

/** Registers the member's series. `context` says in which registry, and with which further attributes. */
export const make = (from: MetricSources, cluster: string, context: Context.Context<never>): MetricRegistration => {
  const shared = { ...Context.get(context, Metric.CurrentMetricAttributes), cluster }
  // Nothing else of a context matters here, and each series makes a copy.
  const registered = Context.make(Metric.MetricRegistry, Context.get(context, Metric.MetricRegistry))
  const ends: Array<() => void> = []

  /** The series' own attributes select it within its metric. */
  const contextOf = (attributes: Metric.Metric.AttributeSet): Context.Context<never> =>
    Context.add(registered, Metric.CurrentMetricAttributes, { ...shared, ...attributes })

  /** Registers one that outlives the member. */
  const lasting = <State>(
    metric: Metric.Metric<number, State>,
    [attributes, live]: Reading<State>
  ): void => {
    let read = live
    Metric.registerUnsafe(metric, contextOf(attributes), { get: () => read(), update: idle, modify: idle })
    ends.push(() => {
      const last = read()
      read = () => last
    })
  }

  const register = (
    definition: Definition,
    source: { readonly member: MetricSources } | { readonly namespace: Namespace }
  ): void => {
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

  for (const definition of definitions) register(definition, { member: from })
  const namespaces: Array<Namespace> = []
  let alone: { readonly registry: Metric.MetricRegistry; readonly opened: (namespace: Namespace) => void } | undefined
  return {
    opened: (namespace) => {
      namespaces.push(namespace)
      for (const definition of definitions) register(definition, { namespace })
      alone?.opened(namespace)
    },
    registry: () => {
      if (alone === undefined) {
        const registry: Metric.MetricRegistry = new Map()
        alone = { registry, opened: make(from, cluster, Context.make(Metric.MetricRegistry, registry)).opened }
        namespaces.forEach(alone.opened)
      }
      return alone.registry
    },
    end: () => {
      for (const end of ends.splice(0)) end()
    }
  }
}

/** The series of a metric that the member, or one of its namespaces, has. */
const readings = <A>(
  { ofMember, ofNamespace }: {
    readonly ofMember?: ((from: MetricSources) => ReadonlyArray<Reading<A>>) | undefined
    readonly ofNamespace?: ((namespace: Namespace) => ReadonlyArray<Reading<A>>) | undefined
  },
  source: { readonly member: MetricSources } | { readonly namespace: Namespace }
): ReadonlyArray<Reading<A>> => ("member" in source ? ofMember?.(source.member) : ofNamespace?.(source.namespace)) ?? []
