/** Writes the table of all metrics into docs/telemetry.md. A test fails when it is not what the code says. */
import { readFileSync, writeFileSync } from "node:fs"
import { definitions } from "../src/services/MetricTable.ts"

const file = new URL("../docs/telemetry.md", import.meta.url)
const begin = "<!-- metrics: written by scripts/metrics-table.ts -->\n"
const end = "<!-- /metrics -->"

/** The document with the table in its place. */
export const withTable = (document: string): string => {
  const rows = definitions.map(({ attributes, description, kind, name, unit }) =>
    `| \`${name}\` | ${kind} | \`${unit}\` | ${
      attributes.map((attribute) => `\`${attribute}\``).join(" ")
    } | ${description} |`
  )
  const table = ["| Name | Kind | Unit | Attributes | |", "| --- | --- | --- | --- | --- |", ...rows].join("\n")
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${file.pathname} lacks the lines ${begin.trim()} and ${end}.`)
  return `${document.slice(0, from)}${begin}\n${table}\n\n${document.slice(to)}`
}

if (import.meta.main) writeFileSync(file, withTable(readFileSync(file, "utf8")))
