/**
 * What a metric of McCache is: name, unit, description, attributes, and where each of its series is read.
 *
 * What counts are plain numbers (`Counters`, `Tally`): nothing here is on the way of a datagram or a lookup. A series is read
 * when somebody collects: an exporter of OpenTelemetry, or a scrape of Prometheus. Names follow the conventions of both:
 * base units (seconds, bytes), `_total` on what only grows; units are those of UCUM.
 */
import * as Metric from "effect/Metric"
import type { MemberInfo } from "./Gather.ts"
import type { Namespace } from "./Namespace.ts"
import type { Sources } from "./Reports.ts"

/** One series: its attributes beside `cluster`, and its value now. */
export type Reading<A> = readonly [attributes: Metric.Metric.AttributeSet, read: () => A]

interface Described {
  readonly name: string
  /** UCUM: `s`, `By`, `1`, or what is counted in braces. */
  readonly unit: string
  readonly description: string
  /** Names of the attributes that tell its series apart, beside `cluster`. */
  readonly attributes: ReadonlyArray<string>
}

export interface Readings<A> {
  readonly ofMember?: ((from: MetricSources) => ReadonlyArray<Reading<A>>) | undefined
  readonly ofNamespace?: ((namespace: Namespace) => ReadonlyArray<Reading<A>>) | undefined
}

/** @category models */
export type Definition =
  | Described & Readings<number> & { readonly kind: "counter"; readonly metric: Metric.Counter<number> }
  | Described & Readings<number> & { readonly kind: "gauge"; readonly metric: Metric.Gauge<number> }
  | Described & Readings<Metric.HistogramState> & {
    readonly kind: "histogram"
    readonly metric: Metric.Histogram<number>
  }

export interface MetricSources extends
  Pick<
    Sources,
    "time" | "host" | "counters" | "network" | "sealing" | "multicaster" | "listener" | "housekeeper"
  >
{
  readonly version: string
  readonly members: () => ReadonlyArray<MemberInfo>
}

// The exporters of Effect take the unit from this attribute.
const described = (unit: string, description: string) => ({ description, attributes: { unit } })

/** A metric that only grows. */
export const counter = (
  name: string,
  unit: string,
  description: string,
  attributes: ReadonlyArray<string>,
  readings: Readings<number>
): Definition => ({
  kind: "counter",
  name,
  unit,
  description,
  attributes,
  ...readings,
  metric: Metric.counter(name, { ...described(unit, description), incremental: true })
})

/** A metric that goes up and down. */
export const gauge = (
  name: string,
  unit: string,
  description: string,
  attributes: ReadonlyArray<string>,
  readings: Readings<number>
): Definition => ({
  kind: "gauge",
  name,
  unit,
  description,
  attributes,
  ...readings,
  metric: Metric.gauge(name, described(unit, description))
})

/** A distribution. */
export const histogram = (
  name: string,
  unit: string,
  description: string,
  attributes: ReadonlyArray<string>,
  boundaries: ReadonlyArray<number>,
  readings: Readings<Metric.HistogramState>
): Definition => ({
  kind: "histogram",
  name,
  unit,
  description,
  attributes,
  ...readings,
  metric: Metric.histogram(name, { ...described(unit, description), boundaries })
})
