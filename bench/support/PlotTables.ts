/** All results as Markdown tables, for `docs/performance.md`. */
import type { Report, Result } from "./Results.ts"
import * as Results from "./Results.ts"
import * as Table from "./Table.ts"

/** Runs that are within this share of their median are told as the median alone. */
const spreadShareMin = 0.1

/** The median, and the least and the greatest of all runs when they are far apart. */
const cell = (result: Result, name: string): string => {
  const found = result.runs.flatMap((figures) => name in figures ? [figures[name]] : [])
  if (found.length === 0) return "-"
  const median = Results.figureOf(result, name)
  const [least, greatest] = [Math.min(...found), Math.max(...found)]
  const text = Table.figure(median)
  return greatest - least > spreadShareMin * Math.abs(median)
    ? `${text} (${Table.figure(least)}–${Table.figure(greatest)})`
    : text
}

/** `getHitNanos` → `getHit, ns`. */
const units: ReadonlyArray<readonly [RegExp, string]> = [
  [/Nanos$/, ", ns"],
  [/Micros$/, ", µs"],
  [/Millis$/, ", ms"],
  [/PerSecond$/, "/s"],
  [/KiB$/, ", KiB"],
  [/MiB$/, ", MiB"]
]

const heading = (name: string): string => {
  const unit = units.find(([pattern]) => pattern.test(name))
  return unit === undefined ? name : name.replace(unit[0], "") + unit[1]
}

const table = (results: ReadonlyArray<Result>, names: ReadonlyArray<string>): string => {
  const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`
  return [
    line(["group", "subject", ...names.map(heading)]),
    line(["---", "---", ...names.map(() => "---:")]),
    ...results.map((result) => line([result.group, result.subject, ...names.map((name) => cell(result, name))]))
  ].join("\n")
}

/** Cases that tell the same figures share a table: a suite may do several kinds of work. */
const tablesOf = (results: ReadonlyArray<Result>): ReadonlyArray<string> => {
  const kinds = new Map<string, Array<Result>>()
  for (const result of results) {
    if (result.runs.length === 0) continue
    const kind = [...new Set(result.runs.flatMap((figures) => Object.keys(figures)))].join(" ")
    const alike = kinds.get(kind)
    if (alike === undefined) kinds.set(kind, [result])
    else alike.push(result)
  }
  return [...kinds].map(([kind, alike]) => table(alike, kind.split(" ")))
}

const notes = (results: ReadonlyArray<Result>): ReadonlyArray<string> =>
  results.flatMap(({ failed, group, skipped, subject }) =>
    skipped !== undefined
      ? [`- \`${group}/${subject}\` was skipped: ${skipped}`]
      : failed !== undefined
      ? [`- \`${group}/${subject}\` failed: ${failed.split("\n")[0]}`]
      : []
  )

const report = ({ machine, results, suite, title }: Report): string => {
  const said = notes(results)
  return [
    `### ${suite}`,
    title,
    ...tablesOf(results),
    ...(said.length === 0 ? [] : [said.join("\n")]),
    `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}${
      machine.modified ? " and changes" : ""
    }, load ${machine.load} before, ${machine.date.slice(0, 10)}. Medians of ${
      Math.max(0, ...results.map(({ runs }) => runs.length))
    } runs; in brackets the least and the greatest where they are more than a tenth apart.`
  ].join("\n\n")
}

export const markdown = (reports: ReadonlyArray<Report>): string => reports.map(report).join("\n\n")
