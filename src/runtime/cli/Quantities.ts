/** Figures in few cells, for people: three digits and a unit. */

const scaled = (value: number, units: ReadonlyArray<string>, step: number): string => {
  let size = value
  let unit = 0
  // What would be rounded up to the next unit's 1 is written in that.
  while (size >= step - 0.5 && unit < units.length - 1) {
    size /= step
    unit++
  }
  return (unit === 0 ? String(Math.round(size)) : size.toFixed(size < 9.95 ? 1 : 0)) + units[unit]
}

const absent = "-"

/** `987`, `1.2k`, `45k`, `3.1M`. */
export const count = (value: number | undefined): string =>
  value === undefined ? absent : scaled(value, ["", "k", "M", "G", "T"], 1_000)

/** A rate a second: as `count`, and a rate below 10 with a digit more. */
export const rate = (value: number | undefined): string =>
  value === undefined ? absent : value > 0 && value < 9.95 ? value.toFixed(1) : count(value)

/** In units of 1,024: `512B`, `1.5K`, `8.0M`. */
export const bytes = (value: number | undefined): string =>
  value === undefined ? absent : scaled(value, ["B", "K", "M", "G", "T"], 1_024)

/** A share as percent: `98.2`, `100`. */
export const percent = (share: number | undefined): string =>
  share === undefined ? absent : share >= 0.9995 ? "100" : (share * 100).toFixed(1)

/** Milliseconds: `0.4`, `12`, `1.2k`; of the unit the heading tells. */
export const millis = (value: number | undefined): string =>
  value === undefined ? absent : value < 9.95 ? value.toFixed(1) : count(value)
