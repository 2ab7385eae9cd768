/** The outcome of a stress test for people, as text. Pure. */
import { drained, type Outcome, table } from "./Outcome.ts"

/** Of many differences the first tell enough; all of them are in the JSON. */
const differencesShown = 20
/** More members than fit on a screen are shown by their mean. */
const membersShown = 9

/** Columns that are as wide as they must be, the first to the left and numbers to the right. */
export const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row.map((text, column) => column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column])).join("  ")
      .trimEnd()
  )
}

export const text = (outcome: Outcome): string => {
  const { differences, forgotten, keys, members, problems, ranMillis } = outcome
  const { header, rows } = table(members)
  const shown = members.length > membersShown ? 2 : header.length
  const lines = [...aligned([header, ...rows].map((row) => row.slice(0, shown))), ""]
  for (const { how, key, kind } of differences.slice(0, differencesShown)) lines.push(`${key} ${kind}: ${how}`)
  if (differences.length > differencesShown) {
    lines.push(`and ${differences.length - differencesShown} more: see --json or --report`)
  }
  if (differences.length > 0) lines.push("")
  for (const problem of problems) lines.push(problem)
  const old = forgotten === 0 ? "" : `, ${forgotten} own keys forgotten by all`
  lines.push(
    `${outcome.result === "pass" ? "PASS" : "FAIL"}: ${(ranMillis / 1_000).toFixed(1)} s, ${keys} keys compared at ` +
      `${members.length} members${old}, drained in ${drained(outcome)}`
  )
  return lines.join("\n")
}
