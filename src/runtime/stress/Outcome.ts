/** What a stress test came to: what `--json` prints, and tables and the report are made of. */
import type { MemberReport, Sample } from "./Conversation.ts"
import type { Plan } from "./Plan.ts"
import type { Difference } from "./Verdict.ts"

/** The members at one moment of the run; who was gone then has no sample. */
export interface Moment {
  readonly millis: number
  readonly members: ReadonlyArray<Sample | undefined>
}

export interface Outcome {
  readonly result: "pass" | "fail"
  /** Why it failed. */
  readonly problems: ReadonlyArray<string>
  readonly plan: Omit<Plan, "opening" | "loopback">
  readonly machine: {
    readonly cores: number
    readonly processor: string
    readonly platform: string
    readonly node: string
    readonly version: string
  }
  /** ISO 8601. */
  readonly startedAt: string
  readonly ranMillis: number
  /** From the last change until all held the same; `null` when they never did. */
  readonly drainMillis: number | null
  /** Keys that somebody held at the end, and own keys whose last write nobody did. */
  readonly keys: number
  readonly forgotten: number
  readonly differences: ReadonlyArray<Difference>
  readonly members: ReadonlyArray<MemberReport>
  readonly moments: ReadonlyArray<Moment>
}

/** What the columns of McCache's testing page are called, and how a member's figure is read and shown. */
export interface Column {
  readonly name: string
  readonly of: (report: MemberReport) => number
  readonly digits: number
  /** Another figure behind a slash. */
  readonly and?: (report: MemberReport) => number
}

const mebibyte = 1_048_576

export const columns: ReadonlyArray<Column> = [
  { name: "snooze ms", of: (report) => report.snoozeMillis, digits: 3 },
  { name: "spike hits", of: (report) => report.spikeHits, digits: 0 },
  { name: "spike interval ms", of: (report) => report.spikeIntervalMillis, digits: 3 },
  {
    name: "in queue avg / max",
    of: (report) => report.inQueue.average,
    digits: 1,
    and: (report) => report.inQueue.max
  },
  {
    name: "out queue avg / max",
    of: (report) => report.outQueue.average,
    digits: 1,
    and: (report) => report.outQueue.max
  },
  { name: "lookups", of: (report) => report.lookups, digits: 0 },
  { name: "inserts", of: (report) => report.inserts, digits: 0 },
  { name: "updates", of: (report) => report.updates, digits: 0 },
  { name: "deletes", of: (report) => report.deletes, digits: 0 },
  { name: "evicts", of: (report) => report.evicts, digits: 0 },
  { name: "collisions", of: (report) => report.collisions, digits: 0 },
  { name: "lost", of: (report) => report.lost, digits: 0 },
  { name: "repaired", of: (report) => report.repaired, digits: 0 },
  { name: "repair rounds", of: (report) => report.repairRounds, digits: 0 },
  { name: "propagation p50 ms", of: (report) => report.propagationP50Millis, digits: 1 },
  { name: "propagation p99 ms", of: (report) => report.propagationP99Millis, digits: 1 },
  { name: "CPU %", of: (report) => report.cpuPercent, digits: 0 },
  { name: "RSS MiB", of: (report) => report.residentBytes / mebibyte, digits: 0 },
  { name: "entries", of: (report) => report.entries, digits: 0 }
]

export const mean = (numbers: ReadonlyArray<number>): number =>
  numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length

const number = (value: number, digits: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** A column's figure of some members: the mean, and of what stands behind the slash the greatest. */
export const cell = ({ and, digits, of }: Column, reports: ReadonlyArray<MemberReport>): string => {
  const shown = number(mean(reports.map(of)), digits)
  return and === undefined ? shown : `${shown} / ${number(Math.max(0, ...reports.map(and)), 0)}`
}

/** Names of the columns that follow, and the rows under them: the mean and each member. */
export const table = (
  reports: ReadonlyArray<MemberReport>
): { readonly header: ReadonlyArray<string>; readonly rows: ReadonlyArray<ReadonlyArray<string>> } => ({
  header: ["", "mean", ...reports.map(({ member }) => `member ${member}`)],
  rows: columns.map((column) => [
    column.name,
    cell(column, reports),
    ...reports.map((report) => cell(column, [report]))
  ])
})

export const drained = ({ drainMillis }: Pick<Outcome, "drainMillis">): string =>
  drainMillis === null ? "never" : `${number(drainMillis, 0)} ms`
