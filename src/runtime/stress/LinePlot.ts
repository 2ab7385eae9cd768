/** A plot of lines over time as SVG text, which needs nothing beside itself. Pure. */

export interface Series {
  readonly name: string
  /** Seconds and values, in the order of time; where there is nothing, the line is broken. */
  readonly points: ReadonlyArray<{ readonly seconds: number; readonly value: number | undefined }>
}

export interface Plot {
  readonly title: string
  readonly unit: string
  readonly series: ReadonlyArray<Series>
}

const width = 460
const height = 220
const margin = { top: 10, right: 12, bottom: 28, left: 56 }

/** What text may not hold in HTML, and in an attribute. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** About so many round numbers from 0 to at least the greatest value. */
export const ticks = (greatest: number, about = 4): ReadonlyArray<number> => {
  if (!(greatest > 0)) return [0, 1]
  const rough = greatest / about
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  const count = Math.ceil(greatest / step - 1e-9)
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

/** A colour for each series: far apart on the wheel, and readable on light and dark ground. */
export const colourOf = (index: number): string => `hsl(${Math.round(index * 137.5 + 210) % 360} 65% 48%)`

const show = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 2 })

export const svg = ({ series, title, unit }: Plot): string => {
  let secondsMax = 0
  let valueMax = 0
  for (const { points } of series) {
    for (const point of points) {
      secondsMax = Math.max(secondsMax, point.seconds)
      valueMax = Math.max(valueMax, point.value ?? 0)
    }
  }
  const seconds = ticks(secondsMax)
  const values = ticks(valueMax)
  const right = seconds.at(-1) ?? 1
  const top = values.at(-1) ?? 1
  const x = (at: number): string => (margin.left + at / right * (width - margin.left - margin.right)).toFixed(1)
  const y = (at: number): string =>
    (height - margin.bottom - at / top * (height - margin.top - margin.bottom)).toFixed(1)
  const grid = values.map((value) =>
    `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(value)}" y2="${y(value)}"/>` +
    `<text x="${margin.left - 6}" y="${y(value)}" dy="0.32em" text-anchor="end">${show(value)}</text>`
  )
  const axis = seconds.map((second) =>
    `<text x="${x(second)}" y="${height - margin.bottom + 16}" text-anchor="middle">${show(second)} s</text>`
  )
  const drawn = series.map(({ name, points }, index) => {
    let path = ""
    let broken = true
    for (const point of points) {
      if (point.value !== undefined) path += `${broken ? "M" : "L"}${x(point.seconds)} ${y(point.value)}`
      broken = point.value === undefined
    }
    return `<path d="${path}" style="stroke:${colourOf(index)}"><title>${escape(name)}</title></path>`
  })
  return `<figure><figcaption>${escape(title)} <span>${escape(unit)}</span></figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(`${title} over time, ${unit}`)}">` +
    `${grid.join("")}${axis.join("")}${drawn.join("")}</svg></figure>`
}
