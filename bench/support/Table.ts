/** Tables for a terminal, or in Markdown. */

/** Three significant digits, with thousands set apart. */
export const figure = (value: number): string => {
  if (Number.isNaN(value)) return "-"
  if (value === 0) return "0"
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  const rounded = digits > 0 ? value.toFixed(Math.min(digits, 3)) : String(Number(value.toPrecision(3)))
  const [whole, fraction] = rounded.split(".")
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",")
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

const isFigure = (cell: string): boolean => /^[-\d,.×%]+$/.test(cell)

export const terminal = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length)))
  const line = (cells: ReadonlyArray<string>): string =>
    cells.map((cell, column) => isFigure(cell) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))
      .join("  ").trimEnd()
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n")
}

export const markdown = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const columns = head.map((_, column) => rows.every((row) => isFigure(row[column] ?? "-")) ? "---:" : "---")
  const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`
  return [line(head), line(columns), ...rows.map(line)].join("\n")
}
