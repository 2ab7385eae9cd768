/** Tables for people: columns as wide as their widest cell, numbers to the right. */
import * as CliOutput from "effect/cli/CliOutput"
import { plain } from "./Show.ts"

export interface Column {
  readonly title: string
  readonly align?: "left" | "right" | undefined
}

export interface Table {
  readonly columns: ReadonlyArray<Column>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

/** The lines of a table, without what a terminal would take for a command. `emphasize` marks the line of titles. */
export const render = (
  { columns, rows }: Table,
  emphasize: (text: string) => string = (text) => text
): ReadonlyArray<string> => {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(plain))]
  const widths = columns.map((_, index) =>
    cells.reduce((widest, row) => Math.max(widest, CliOutput.displayWidth(row[index] ?? "")), 0)
  )
  const lines = cells.map((row) =>
    columns.map(({ align }, index) => {
      const cell = row[index] ?? ""
      const space = " ".repeat(widths[index] - CliOutput.displayWidth(cell))
      return align === "right" ? space + cell : cell + space
    }).join("  ").trimEnd()
  )
  return lines.map((line, index) => index === 0 ? emphasize(line) : line)
}
