/** What a run of the bench found: every figure of every run of every case, and medians over the runs. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import type { Machine } from "./Machine.ts"
import { median } from "./Statistics.ts"
import type { Case, Figures } from "./Suite.ts"

export interface Result extends Case {
  readonly suite: string
  readonly runs: ReadonlyArray<Figures>
  readonly skipped?: string
  readonly failed?: string
}

export interface Report {
  readonly suite: string
  readonly title: string
  readonly quick: boolean
  readonly machine: Machine
  readonly results: ReadonlyArray<Result>
}

/** The median over the runs of one figure. `NaN` when there is none. */
export const figureOf = (result: Result | undefined, name: string): number =>
  median((result?.runs ?? []).flatMap((figures) => name in figures ? [figures[name]] : []))

const directory = new URL("../results/", import.meta.url)

export const write = (report: Report): void => {
  mkdirSync(directory, { recursive: true })
  const file = new URL(`${report.suite}${report.quick ? ".quick" : ""}.json`, directory)
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`)
}

/** The reports of the last full run of each suite. */
export const readAll = (): ReadonlyArray<Report> =>
  readdirSync(directory).filter((name) => name.endsWith(".json") && !name.endsWith(".quick.json")).sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, directory), "utf8")) as Report)
