/** Which plots there are, and which results each of them shows. What the last full runs do not have is left out. */
import type { Line, Plot, Point } from "./Plot.ts"
import type { Report, Result } from "./Results.ts"
import * as Results from "./Results.ts"
import type { Parameter } from "./Suite.ts"

interface Series {
  readonly suite: string
  /** Cases with these parameters. */
  readonly where: { readonly [parameter: string]: Parameter }
  /** What goes along the horizontal axis. */
  readonly x: string
  readonly figure: string
  /** From the figure's unit to that of the plot. */
  readonly factor?: number
  /** In this order; absent: all that there are. */
  readonly subjects?: ReadonlyArray<string>
  /** What the line is called, if not as its subject. */
  readonly label?: string
  readonly dashed?: boolean
}

export interface Definition extends Omit<Plot, "lines" | "xText" | "yText"> {
  /** Its file in `docs/performance`, without `.svg`. */
  readonly name: string
  readonly series: ReadonlyArray<Series>
  readonly xText?: (x: number) => string
  readonly yText?: (y: number) => string
}

const compact = (value: number): string => {
  const [divisor, unit] = value >= 1e6 ? [1e6, " M"] : value >= 1e4 ? [1e3, " k"] : [1, ""]
  const shown = value / divisor
  return (Number.isInteger(shown) ? shown.toLocaleString("en-US") : String(Number(shown.toPrecision(3)))) + unit
}

const bytesText = (bytes: number): string => bytes >= 1_000 ? `${bytes / 1_000} KB` : `${bytes} B`

/** Sizes are written `10B`, `1KB`. */
const amount = (value: Parameter): number => {
  const [, digits, kilo] = /^(\d+)(K?)B$/.exec(String(value)) ?? []
  return digits === undefined ? Number(value) : Number(digits) * (kilo === "K" ? 1_000 : 1)
}

const here = { keyLength: "short" }
const direct = { valueBytes: 100, receivers: 1, writers: 1, datagramBytes: 1_472, sealed: false, lossPercent: 0 }

const without = <A extends object>(all: A, name: keyof A): Partial<A> => {
  const { [name]: _, ...rest } = all
  return rest as Partial<A>
}

const local = ["mccache", "lru-cache", "msgpackr+lru-cache", "map", "cacheable", "bentocache", "effect-cache"]

export const definitions: ReadonlyArray<Definition> = [
  ...([["get", "getHit", "held keys, in a shuffled order"], ["set", "setUpdate", "what the caller waits for"]] as const)
    .map(([operation, figure, terms]): Definition => ({
      name: `local-${operation}`,
      title: `${operation}: nanoseconds per operation, by entries held`,
      subtitle: `One process, values of 100 bytes; ${terms}. Lower is better.`,
      xTitle: "entries",
      yScale: "logarithmic",
      series: [{
        suite: "local",
        where: { ...here, valueSize: "100B" },
        x: "entries",
        figure: `${figure}Nanos`,
        subjects: local
      }]
    })),
  {
    name: "local-set-values",
    title: "set: nanoseconds per operation, by size of the value",
    subtitle: "One process, 10,000 entries; what the caller waits for. Lower is better.",
    xTitle: "size of the value",
    xText: bytesText,
    yScale: "logarithmic",
    series: [{
      suite: "local",
      where: { ...here, entries: 10_000 },
      x: "valueSize",
      figure: "setUpdateNanos",
      subjects: local
    }]
  },
  {
    name: "memory",
    title: "Memory: bytes per entry beyond its encoded key and value",
    subtitle: "Values of 100 bytes. Lower is better.",
    xTitle: "entries",
    yScale: "linear",
    series: [{ suite: "memory", where: { work: "entries", valueSize: "100B" }, x: "entries", figure: "beyondBytes" }]
  },
  {
    name: "join",
    title: "Join and repair: seconds, by entries",
    subtitle: "Entries of 100 bytes, loopback. Join: until ready. Repair: one key differs, from when that is found.",
    xTitle: "entries",
    yScale: "logarithmic",
    series: [
      {
        suite: "join",
        where: { work: "join" },
        x: "entries",
        figure: "readyMillis",
        factor: 1 / 1_000,
        label: "mccache join"
      },
      {
        suite: "join",
        where: { work: "repair" },
        x: "entries",
        figure: "repairMillis",
        factor: 1 / 1_000,
        label: "mccache repair",
        dashed: true
      }
    ]
  },
  {
    name: "join-bytes",
    title: "Join and repair: KiB sent by all, by entries",
    subtitle: "Entries of 100 bytes, all held elsewhere (join) or one key different (repair).",
    xTitle: "entries",
    yScale: "logarithmic",
    series: [
      { suite: "join", where: { work: "join" }, x: "entries", figure: "sentKiB", label: "mccache join" },
      {
        suite: "join",
        where: { work: "repair" },
        x: "entries",
        figure: "sentKiB",
        label: "mccache repair",
        dashed: true
      }
    ]
  },
  ...(["receivers", "writers"] as const).map((many): Definition => ({
    name: `throughput-${many}`,
    title: `Replication: operations per second, by ${many}`,
    subtitle: "Values of 100 bytes, datagrams of 1,472, nothing lost; delivered to each receiver. Higher is better.",
    xTitle: many,
    yScale: "linear",
    series: [{
      suite: "throughput",
      where: without(direct, many),
      x: many,
      figure: "operationsPerSecond",
      subjects: ["mccache", "nats", "redis", "dgram"]
    }]
  })),
  ...([
    ["operations", "operations per second", "operationsPerSecond"],
    ["megabytes", "megabytes per second", "megabytesPerSecond"]
  ] as const).map(([name, unit, figure]): Definition => ({
    name: `throughput-${name}`,
    title: `Replication: ${unit}, by size of the value`,
    subtitle: "One writer, one receiver, datagrams of 1,472 bytes. Higher is better.",
    xTitle: "size of the value",
    xText: bytesText,
    yScale: "logarithmic",
    series: [{
      suite: "throughput",
      where: without(direct, "valueBytes"),
      x: "valueBytes",
      figure,
      subjects: ["mccache", "nats", "redis", "dgram"]
    }]
  })),
  ...([["p50", "median"], ["p99", "99th percentile"]] as const).flatMap(([figure, word]): ReadonlyArray<Definition> => [
    {
      name: `latency-${figure}-receivers`,
      title: `Write here, readable there: ${word}, microseconds, by receivers`,
      subtitle: "At idle, loopback. Lower is better.",
      xTitle: "receivers",
      yScale: "linear",
      series: [{
        suite: "latency",
        where: { operationsPerSecond: 0 },
        x: "receivers",
        figure: `${figure}Micros`,
        subjects: ["mccache", "mccache-sealed", "dgram", "nats", "redis"]
      }]
    },
    {
      name: `latency-${figure}-load`,
      title: `Write here, readable there: ${word}, microseconds, under load`,
      subtitle: "One receiver, loopback; the load is other writes of the same process. Lower is better.",
      xTitle: "other writes per second",
      yScale: "logarithmic",
      series: [{
        suite: "latency",
        where: { receivers: 1 },
        x: "operationsPerSecond",
        figure: `${figure}Micros`,
        subjects: ["mccache", "mccache-sealed", "dgram", "nats", "redis"]
      }]
    }
  ]),
  {
    name: "rest-members",
    title: "At rest: processor time of a member, percent of a core",
    subtitle: "300 entries, nothing written; 50 members are 10 processes of 5.",
    xTitle: "members",
    yScale: "linear",
    series: [{ suite: "rest", where: { namespaces: 1 }, x: "members", figure: "cpuPercentPerMember" }]
  },
  {
    name: "rest-namespaces",
    title: "At rest: processor time of a member, percent of a core",
    subtitle: "3 members, 300 entries in all namespaces together, nothing written.",
    xTitle: "namespaces",
    yScale: "linear",
    series: [{ suite: "rest", where: { members: 3 }, x: "namespaces", figure: "cpuPercentPerMember" }]
  }
]

const pointOf = (result: Result, { factor = 1, figure, x }: Series): Point | undefined => {
  const found = result.runs.flatMap((figures) => figure in figures ? [factor * figures[figure]] : [])
  const at = amount(result.parameters[x])
  // At zero there is nothing to compare on an axis that grows by factors; `idle` has plots of its own.
  if (found.length === 0 || !(at > 0)) return undefined
  return {
    x: at,
    y: factor * Results.figureOf(result, figure),
    least: Math.min(...found),
    greatest: Math.max(...found)
  }
}

const linesOf = (reports: ReadonlyArray<Report>, series: Series): ReadonlyArray<Line> => {
  const results = (reports.find(({ suite }) => suite === series.suite)?.results ?? []).filter(({ parameters }) =>
    Object.entries(series.where).every(([name, value]) => parameters[name] === value)
  )
  const subjects = series.subjects ?? [...new Set(results.map(({ subject }) => subject))]
  return subjects.flatMap((subject): ReadonlyArray<Line> => {
    const points = new Map<number, Point>()
    for (const result of results) {
      const point = result.subject === subject ? pointOf(result, series) : undefined
      if (point !== undefined) points.set(point.x, point)
    }
    if (points.size === 0) return []
    return [{
      name: series.label ?? subject,
      points: [...points.values()].sort((a, b) => a.x - b.x),
      dashed: series.dashed ?? false
    }]
  })
}

/** The plot of what there is; `undefined` when no line has two points. */
export const plotOf = (
  reports: ReadonlyArray<Report>,
  { series, xText, yText, ...rest }: Definition
): Plot | undefined => {
  const lines = series.flatMap((each) => linesOf(reports, each))
  return lines.some(({ points }) => points.length > 1)
    ? { ...rest, xText: xText ?? compact, yText: yText ?? compact, lines }
    : undefined
}
