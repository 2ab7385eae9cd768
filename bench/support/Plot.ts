/**
 * Line plots as SVG, by hand: no dependency, one look. Made to be read at 800 pixels on a light or a dark page: a white
 * ground of its own, large words, each line named beside its end, ticks where there is data. A point is a median, the bar
 * through it the least and the greatest of all runs.
 */

export interface Point {
  readonly x: number
  readonly y: number
  readonly least: number
  readonly greatest: number
}

export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<Point>
  /** A second line of the same subject. */
  readonly dashed?: boolean
}

export interface Plot {
  /** What is shown, with its unit: the vertical axis has no other title. */
  readonly title: string
  /** On which terms, in a line. */
  readonly subtitle: string
  readonly xTitle: string
  readonly xText: (x: number) => string
  readonly yText: (y: number) => string
  readonly yScale: "linear" | "logarithmic"
  readonly lines: ReadonlyArray<Line>
}

const width = 800
const height = 440
const area = { left: 78, right: 612, top: 84, bottom: 382 }
const labelHeight = 19

interface Look {
  readonly color: string
  readonly marker: "circle" | "square" | "triangle" | "diamond"
}

/** A subject looks the same in all plots. Colours apart also for who sees fewer of them (Okabe and Ito), and shapes. */
const looks: { readonly [subject: string]: Look } = {
  mccache: { color: "#0072b2", marker: "circle" },
  "mccache-sealed": { color: "#56a5d8", marker: "circle" },
  "mccache-received": { color: "#56a5d8", marker: "square" },
  "mccache-decoded": { color: "#3f5f8a", marker: "diamond" },
  "mccache-unsafe": { color: "#56a5d8", marker: "square" },
  "mccache-effect": { color: "#3f5f8a", marker: "diamond" },
  "mccache-change": { color: "#3f5f8a", marker: "diamond" },
  "lru-cache": { color: "#d55e00", marker: "square" },
  "lru-cache-objects": { color: "#b88700", marker: "triangle" },
  "msgpackr+lru-cache": { color: "#b88700", marker: "triangle" },
  map: { color: "#777777", marker: "diamond" },
  cacheable: { color: "#009e73", marker: "triangle" },
  bentocache: { color: "#b0568f", marker: "square" },
  "effect-cache": { color: "#6a4c93", marker: "diamond" },
  dgram: { color: "#777777", marker: "diamond" },
  redis: { color: "#d55e00", marker: "square" },
  nats: { color: "#009e73", marker: "triangle" }
}
const unknown: Look = { color: "#333333", marker: "circle" }

/** By its name, or by the first word of it: `mccache p99` looks like `mccache`. */
const lookOf = (name: string): Look => looks[name] ?? looks[name.split(" ")[0]] ?? unknown

const escape = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")

interface Words {
  readonly size?: number
  readonly anchor?: "start" | "middle" | "end"
  readonly color?: string
  readonly bold?: boolean
}

const words = (x: number, y: number, text: string, { anchor, bold, color, size }: Words = {}): string =>
  `<text x="${at(x)}" y="${at(y)}" font-size="${size ?? 14}" fill="${color ?? "#444"}"` +
  ` text-anchor="${anchor ?? "start"}"${bold === true ? ` font-weight="600"` : ""}>${escape(text)}</text>`

const at = (value: number): string => String(Math.round(10 * value) / 10)

const stroke = (x1: number, y1: number, x2: number, y2: number, color: string, extra = ""): string =>
  `<path d="M${at(x1)} ${at(y1)}L${at(x2)} ${at(y2)}" stroke="${color}"${extra}/>`

const marker = ({ color, marker }: Look, x: number, y: number): string => {
  const fill = `fill="${color}" stroke="#fff" stroke-width="1"`
  const shape = (points: ReadonlyArray<readonly [number, number]>): string =>
    `<polygon points="${points.map(([dx, dy]) => `${at(x + dx)},${at(y + dy)}`).join(" ")}" ${fill}/>`
  switch (marker) {
    case "circle":
      return `<circle cx="${at(x)}" cy="${at(y)}" r="5" ${fill}/>`
    case "square":
      return shape([[-4.5, -4.5], [4.5, -4.5], [4.5, 4.5], [-4.5, 4.5]])
    case "triangle":
      return shape([[0, -6], [5.5, 4.5], [-5.5, 4.5]])
    case "diamond":
      return shape([[0, -6], [6, 0], [0, 6], [-6, 0]])
  }
}

// ---------------------------------------------------------------------------------------------------- scales

/** The least of 1, 2 or 5 times a power of ten that is not less. */
const roundUp = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((step) => step * power >= value * (1 - 1e-9)) ?? 10)
}

const logarithmicTicks = (least: number, greatest: number): ReadonlyArray<number> => {
  const all: Array<number> = []
  for (let exponent = Math.floor(Math.log10(least)); exponent <= Math.ceil(Math.log10(greatest)); exponent++) {
    for (const step of [1, 2, 5]) all.push(Number(`${step}e${exponent}`))
  }
  const from = Math.max(0, all.findLastIndex((tick) => tick <= least))
  const to = all.findIndex((tick) => tick >= greatest)
  const ticks = all.slice(from, to + 1)
  if (ticks.length <= 9) return ticks
  // Over many decades the powers of ten suffice, and the ends, where no power is near.
  const [first, last] = [ticks[0], ticks[ticks.length - 1]]
  return ticks.filter((tick) =>
    tick === first || tick === last || (Number.isInteger(Math.log10(tick)) && tick > 3 * first && tick < last / 3)
  )
}

const linearTicks = (greatest: number): ReadonlyArray<number> => {
  const step = roundUp(greatest / 6)
  return Array.from(
    { length: Math.ceil(greatest / step - 1e-9) + 1 },
    (_, index) => Number((index * step).toPrecision(6))
  )
}

// ---------------------------------------------------------------------------------------------------- labels

/** Moves labels apart that would cover each other, and keeps them within the height. */
const spread = (wanted: ReadonlyArray<number>): ReadonlyArray<number> => {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b])
  const placed = [...wanted]
  for (let at = 1; at < order.length; at++) {
    placed[order[at]] = Math.max(placed[order[at]], placed[order[at - 1]] + labelHeight)
  }
  let below = area.bottom
  for (const index of order.toReversed()) {
    placed[index] = Math.min(placed[index], below)
    below = placed[index] - labelHeight
  }
  return placed
}

// ---------------------------------------------------------------------------------------------------- the plot

export const render = (plot: Plot): string => {
  const points = plot.lines.flatMap((line) => line.points)
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b)
  const [xLeast, xGreatest] = [xs[0], xs[xs.length - 1]]
  // All horizontal axes count things that grow by factors.
  const xOf = (x: number): number =>
    xLeast === xGreatest
      ? (area.left + area.right) / 2
      : area.left + 24 + (area.right - area.left - 48) * Math.log(x / xLeast) / Math.log(xGreatest / xLeast)
  const greatest = Math.max(...points.map(({ greatest }) => greatest))
  const ticks = plot.yScale === "linear"
    ? linearTicks(greatest)
    : logarithmicTicks(Math.min(...points.map(({ least }) => least)), greatest)
  const [bottom, top] = [ticks[0], ticks[ticks.length - 1]]
  const share = (y: number): number =>
    plot.yScale === "linear" ? y / top : Math.log(y / bottom) / Math.log(top / bottom)
  const yOf = (y: number): number => area.bottom - (area.bottom - area.top) * share(y)

  const parts = [
    `<rect width="${width}" height="${height}" rx="12" fill="#fff"/>`,
    words(20, 34, plot.title, { size: 19, color: "#111", bold: true }),
    words(20, 57, plot.subtitle, { size: 13.5, color: "#666" }),
    words((area.left + area.right) / 2, height - 14, plot.xTitle, { anchor: "middle" })
  ]
  for (const tick of ticks) {
    const y = yOf(tick)
    parts.push(stroke(area.left, y, area.right, y, tick === bottom ? "#999" : "#e4e4e4"))
    parts.push(words(area.left - 8, y + 5, plot.yText(tick), { anchor: "end" }))
  }
  for (const x of xs) {
    parts.push(stroke(xOf(x), area.bottom, xOf(x), area.bottom + 5, "#999"))
    parts.push(words(xOf(x), area.bottom + 22, plot.xText(x), { anchor: "middle" }))
  }
  const ends = plot.lines.map((line) => line.points[line.points.length - 1])
  const labels = spread(ends.map(({ y }) => yOf(y)))
  // Who is compared is drawn last, over the others.
  for (const [index, line] of [...plot.lines.entries()].toReversed()) {
    const look = lookOf(line.name)
    const end = ends[index]
    const first = index === 0
    const dash = line.dashed === true ? ` stroke-dasharray="7 5"` : ""
    const path = line.points.map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${xOf(x).toFixed(1)} ${yOf(y).toFixed(1)}`)
    parts.push(
      stroke(xOf(end.x) + 8, yOf(end.y), area.right + 14, labels[index], look.color, ` stroke-dasharray="1 3"`)
    )
    parts.push(`<path d="${path.join("")}" fill="none" stroke="${look.color}" stroke-width="${first ? 3 : 2}"${dash}/>`)
    for (const { greatest, least, x, y } of line.points) {
      if (greatest > least) {
        parts.push(stroke(xOf(x), yOf(least), xOf(x), yOf(greatest), look.color, ` stroke-width="1.5"`))
      }
      parts.push(marker(look, xOf(x), yOf(y)))
    }
    parts.push(words(area.right + 18, labels[index] + 5, line.name, { color: look.color, bold: first }))
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
    ` font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img">\n` +
    `<title>${escape(plot.title)}</title>\n${parts.join("\n")}\n</svg>\n`
}
