/** A row of bars for figures over time, the newest on the right. */

const bars = "▁▂▃▄▅▆▇█"

/**
 * The last figures in so many cells. The greatest of those that are shown is the full bar, 0 the lowest one, and a time for
 * which there is no figure is a blank. A single figure has nothing to be compared with, and no bar.
 */
export const draw = (figures: ReadonlyArray<number | undefined>, cells: number): string => {
  if (cells <= 0 || figures.length < 2) return ""
  const shown = figures.slice(-cells)
  const greatest = Math.max(0, ...shown.filter((figure) => figure !== undefined))
  const bar = (figure: number | undefined): string => {
    if (figure === undefined) return " "
    if (figure <= 0) return bars[0]
    return bars[Math.max(1, Math.round(figure / greatest * (bars.length - 1)))]
  }
  return shown.map(bar).join("").padStart(cells)
}
