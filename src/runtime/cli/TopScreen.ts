/**
 * The screen of `mccache top`: a pure function from what was seen to lines of text. No line is longer than the width, and there
 * are no more of them than the height. Columns that find no room go, the least important first; more room shows more.
 */
import * as CliOutput from "effect/cli/CliOutput"
import * as Cells from "./Cells.ts"
import type * as Copies from "./Copies.ts"
import * as Quantities from "./Quantities.ts"
import * as Sparkline from "./Sparkline.ts"
import type { Figures, MemberFigures, NamespaceFigures, Totals } from "./TopFigures.ts"

/** How a piece of a line is to look. */
export type Tone = "plain" | "title" | "heading" | "good" | "warning" | "bad" | "faint"

export interface Piece {
  readonly text: string
  readonly tone: Tone
}

export type Line = ReadonlyArray<Piece>

/** By which figure the members are ordered. */
export type Sort = "member" | "entries" | "out" | "in" | "hit" | "lag" | "lost" | "p99" | "cpu"

/** The key of each order. */
export const sorts: ReadonlyArray<readonly [key: string, sort: Sort]> = [
  ["m", "member"],
  ["e", "entries"],
  ["o", "out"],
  ["i", "in"],
  ["h", "hit"],
  ["l", "lag"],
  ["x", "lost"],
  ["d", "p99"],
  ["c", "cpu"]
]

export interface View {
  readonly width: number
  /** `Infinity`: all that there is. */
  readonly height: number
  readonly sort: Sort
  readonly reverse: boolean
  /** The first member that is shown; more than there are shows the last ones. */
  readonly scroll: number
  /** Cluster, group and interface. */
  readonly where: string
  /** The last line: a warning of the observer's own, or nothing for the keys. */
  readonly message?: string | undefined
  /** Whether there are keys to tell of. */
  readonly keys: boolean
}

const piece = (text: string, tone: Tone = "plain"): Piece => ({ text, tone })

/** The lines of what was seen last; what was seen before it is drawn as bars. */
export const lines = (past: ReadonlyArray<Figures>, view: View): ReadonlyArray<Line> => {
  const figures = past.at(-1)
  if (figures === undefined) return [[piece(Cells.cut(`McCache ${view.where}: looking for members`, view.width))]]
  const head = header(past, figures, view)
  const foot = footer(view)
  if (figures.members.length === 0) return [...head, ...nobody(view.width), ...foot].slice(0, view.height)
  const rows = rowsOf(figures, view)
  const { width } = view
  return [
    ...head,
    [],
    ...table(namespaceColumns, ordered(figures.namespaces), { width, rowsMax: rows.namespaces, scroll: 0, past }),
    [],
    ...table(memberColumns, inOrder(figures.members, view), {
      width,
      rowsMax: rows.members,
      scroll: view.scroll,
      past
    }),
    ...foot
  ].slice(0, view.height)
}

/** The furthest that the members can be scrolled: then the last ones are shown. */
export const scrollMax = (figures: Figures, view: View): number => {
  const { members } = rowsOf(figures, view)
  return figures.members.length <= members ? 0 : figures.members.length - Math.max(1, members - 1)
}

const headLines = 5

/** How many rows each table may have, below its heading. Namespaces have a third, and what the members leave. */
const rowsOf = (figures: Figures, view: View): { readonly namespaces: number; readonly members: number } => {
  const room = view.height - headLines - footer(view).length - 4
  const namespaces = Math.max(1, room - figures.members.length, Math.floor(room / 3))
  return { namespaces, members: Math.max(1, room - Math.min(namespaces, figures.namespaces.length)) }
}

// ---------------------------------------------------------------------------------------------------- head and foot

const header = (past: ReadonlyArray<Figures>, figures: Figures, view: View): ReadonlyArray<Line> => {
  const { totals } = figures
  const silent = totals.members - totals.answered
  const members = `${totals.members} member${totals.members === 1 ? "" : "s"}${silent > 0 ? `, ${silent} silent` : ""}`
  const clock = `${new Date(figures.atMillis).toISOString().slice(11, 19)} UTC`
  const right = `${members}  ${clock}`
  const left = Cells.fit(`McCache ${Cells.clean(view.where)}`, Math.max(0, view.width - right.length - 2))
  const bars = (of: (totals: Totals) => number | undefined, cells: number) =>
    Sparkline.draw(past.map((each) => of(each.totals)), cells)
  // Two figures with bars on a line.
  const half = Math.floor((view.width - 2) / 2)
  const gauge = (name: string, figure: string, of: (totals: Totals) => number | undefined): string => {
    const text = `${name} ${figure} `
    return Cells.fit(text + bars(of, Math.min(past.length, half - text.length)), half)
  }
  const pair = (left: string, right: string): Line => [piece(left), piece("  "), piece(right)]
  const { rate } = Quantities
  const lossy = totals.lostPerSecond !== undefined && totals.lostPerSecond > 0
  return [
    [piece(Cells.cut(`${left}  ${right}`, view.width), "title")],
    pair(
      gauge("writes out/s", Cells.fit(rate(totals.outPerSecond), 6, "right"), (each) => each.outPerSecond),
      gauge("writes in/s", Cells.fit(rate(totals.inPerSecond), 6, "right"), (each) => each.inPerSecond)
    ),
    pair(
      gauge("lookups/s   ", Cells.fit(rate(totals.lookupsPerSecond), 6, "right"), (each) => each.lookupsPerSecond),
      gauge("hits, %    ", Cells.fit(Quantities.percent(totals.hitShare), 6, "right"), (each) => each.hitShare)
    ),
    pair(
      gauge("lost/s      ", Cells.fit(rate(totals.lostPerSecond), 6, "right"), (each) => each.lostPerSecond),
      gauge(
        "p99, ms    ",
        Cells.fit(Quantities.millis(totals.propagationMillisP99), 6, "right"),
        (each) => each.propagationMillisP99
      )
    ),
    [piece(
      Cells.cut(
        `lost ${Quantities.count(totals.lost)}  repaired ${Quantities.count(totals.repaired)}  given up ${
          Quantities.count(totals.abandoned)
        }  lag ${Quantities.count(totals.lagDatagrams)}  p50 ${Quantities.millis(totals.propagationMillisP50)} ms`,
        view.width
      ),
      lossy ? "warning" : "plain"
    )]
  ].map((line) => within(line, view.width))
}

const footer = (view: View): ReadonlyArray<Line> => {
  if (view.message !== undefined) return [[piece(Cells.cut(Cells.clean(view.message), view.width), "warning")]]
  if (!view.keys) return []
  const keys = sorts.map(([key, sort]) => sort === view.sort ? `${key}[${sort}]` : `${key} ${sort}`).join(" ")
  return [[piece(Cells.cut(`q quit r reverse  ${keys}`, view.width), "faint")]]
}

const nobody = (width: number): ReadonlyArray<Line> =>
  [
    "",
    "No other member was heard.",
    "The cluster's name, its key, its group and its interface must be those of the members:",
    "mccache config shows what is set here, mccache doctor says what may be wrong."
  ].map((text) => [piece(Cells.cut(text, width))])

/** No line reaches beyond the width. */
const within = (line: Line, width: number): Line => {
  let room = width
  return line.map(({ text, tone }) => {
    const cut = Cells.cut(text, room)
    room -= CliOutput.displayWidth(cut)
    return { text: cut, tone }
  })
}

// ---------------------------------------------------------------------------------------------------- tables

interface Column<A> {
  readonly title: string
  readonly cells: number
  /** Those with the greatest go first when there is no room. */
  readonly rank: number
  readonly align?: "left" | undefined
  readonly text: (row: A, past: ReadonlyArray<Figures>) => string
  readonly tone?: ((row: A) => Tone) | undefined
}

/** A table: the first column takes the room that the others leave. */
const table = <A>(
  [first, ...columns]: readonly [Column<A>, ...ReadonlyArray<Column<A>>],
  rows: ReadonlyArray<A>,
  { past, rowsMax, scroll, width }: {
    readonly width: number
    readonly rowsMax: number
    readonly scroll: number
    readonly past: ReadonlyArray<Figures>
  }
): ReadonlyArray<Line> => {
  let room = width - first.cells
  const fitting = new Set<Column<A>>()
  for (const column of [...columns].sort((left, right) => left.rank - right.rank)) {
    if (column.cells + 1 > room) break
    room -= column.cells + 1
    fitting.add(column)
  }
  const shown = [{ ...first, cells: Math.min(width, first.cells + Math.min(room, nameCellsMax - first.cells)) }]
    .concat(columns.filter((column) => fitting.has(column)))
  const line = (of: (column: Column<A>) => Piece): Line =>
    shown.flatMap((column, index) => {
      const { text, tone } = of(column)
      const cell = piece(Cells.fit(text, column.cells, column.align ?? "right"), tone)
      return index === 0 ? [cell] : [piece(" "), cell]
    })
  // Where not all find room, one line says how many more there are.
  const rowsShown = rows.length <= rowsMax ? rows.length : Math.max(1, rowsMax - 1)
  const from = Math.max(0, Math.min(scroll, rows.length - rowsShown))
  const below = rows.length - from - rowsShown
  const more = from === 0 ? `… ${below} more` : `… ${from} above, ${below} below`
  return [
    line((column) => piece(column.title, "heading")),
    ...rows.slice(from, from + rowsShown).map((row) =>
      line((column) => piece(column.text(row, past), column.tone?.(row)))
    ),
    ...rowsShown < rowsMax && rowsShown < rows.length ? [[piece(Cells.cut(more, width), "faint")]] : []
  ].map((each) => within(each, width))
}

const nameCellsMax = 48

const namespaceColumns: readonly [Column<NamespaceFigures>, ...ReadonlyArray<Column<NamespaceFigures>>] = [
  { title: "NAMESPACE", cells: 12, rank: 0, align: "left", text: ({ name }) => Cells.clean(name) },
  { title: "MEMBERS", cells: 7, rank: 6, text: ({ members }) => Quantities.count(members) },
  {
    title: "ENTRIES",
    cells: 11,
    rank: 1,
    text: ({ entriesMax, entriesMin }) =>
      entriesMin === entriesMax
        ? Quantities.count(entriesMax)
        : `${Quantities.count(entriesMin)}-${Quantities.count(entriesMax)}`
  },
  { title: "SIZE", cells: 6, rank: 5, text: ({ bytesMax }) => Quantities.bytes(bytesMax) },
  { title: "LOOKUP/S", cells: 8, rank: 3, text: ({ lookupsPerSecond }) => Quantities.rate(lookupsPerSecond) },
  { title: "HIT %", cells: 5, rank: 4, text: ({ hitShare }) => Quantities.percent(hitShare) },
  { title: "CHANGE/S", cells: 8, rank: 2, text: ({ changesPerSecond }) => Quantities.rate(changesPerSecond) },
  { title: "EVICT/S", cells: 7, rank: 7, text: ({ evictsPerSecond }) => Quantities.rate(evictsPerSecond) },
  {
    title: "COPIES",
    cells: 12,
    rank: 0,
    align: "left",
    text: ({ copies }) => verdictText(copies),
    tone: ({ copies }) => verdictTone(copies)
  },
  {
    title: "CHANGES",
    cells: 24,
    rank: 8,
    align: "left",
    text: ({ name }, past) =>
      Sparkline.draw(past.map((each) => each.namespaces.find((one) => one.name === name)?.changesPerSecond), 24)
  }
]

const seconds = (millis: number): string => `${Math.round(millis / 1_000)}s`

/** What is said of the copies of a namespace. */
export const verdictText = (verdict: Copies.Verdict): string => {
  switch (verdict.type) {
    case "changing":
      return verdict.millis < 2_000 ? "changing" : `changing ${seconds(verdict.millis)}`
    case "differ":
      return `DIFFER ${seconds(verdict.millis)}`
    case "sizes":
      return "other sizes"
    case "conflict":
      return "CONFLICT"
    case "mode":
      return `mode ${verdict.mode}`
    case "single":
      return "only one"
    case "unknown":
      return "unknown yet"
    default:
      return verdict.type
  }
}

const verdictTone = ({ type }: Copies.Verdict): Tone =>
  type === "equal" ? "good" : type === "differ" || type === "conflict" ? "bad" : "plain"

/** What is wrong first, then what is busy. */
const ordered = (namespaces: ReadonlyArray<NamespaceFigures>): ReadonlyArray<NamespaceFigures> => {
  const rank = ({ copies }: NamespaceFigures): number => verdictTone(copies) === "bad" ? 0 : 1
  const busy = (each: NamespaceFigures): number => (each.lookupsPerSecond ?? 0) + (each.changesPerSecond ?? 0)
  return [...namespaces].sort((left, right) =>
    rank(left) - rank(right) || busy(right) - busy(left) || compareText(left.name, right.name)
  )
}

const memberColumns: readonly [Column<MemberFigures>, ...ReadonlyArray<Column<MemberFigures>>] = [
  { title: "MEMBER", cells: 13, rank: 0, align: "left", text: ({ label }) => Cells.clean(label) },
  {
    title: "STATE",
    cells: 7,
    rank: 1,
    align: "left",
    text: ({ state }) => state,
    tone: ({ state }) => state === "ready" ? "good" : state === "joining" ? "plain" : "warning"
  },
  { title: "ENTRIES", cells: 7, rank: 2, text: ({ entries }) => Quantities.count(entries) },
  { title: "OUT/S", cells: 5, rank: 3, text: ({ outPerSecond }) => Quantities.rate(outPerSecond) },
  { title: "IN/S", cells: 5, rank: 4, text: ({ inPerSecond }) => Quantities.rate(inPerSecond) },
  { title: "HIT %", cells: 5, rank: 5, text: ({ hitShare }) => Quantities.percent(hitShare) },
  {
    title: "LAG",
    cells: 5,
    rank: 6,
    text: ({ lagDatagrams, unsent }) =>
      lagDatagrams === undefined ? Quantities.count(undefined) : Quantities.count(lagDatagrams + (unsent ?? 0))
  },
  {
    title: "LOST",
    cells: 5,
    rank: 7,
    text: ({ lost }) => Quantities.count(lost),
    tone: ({ lostPerSecond }) => lostPerSecond !== undefined && lostPerSecond > 0 ? "warning" : "plain"
  },
  { title: "FIXED", cells: 5, rank: 8, text: ({ repaired }) => Quantities.count(repaired) },
  { title: "P50", cells: 4, rank: 10, text: ({ propagationMillisP50 }) => Quantities.millis(propagationMillisP50) },
  { title: "P99", cells: 4, rank: 9, text: ({ propagationMillisP99 }) => Quantities.millis(propagationMillisP99) },
  { title: "CPU %", cells: 5, rank: 11, text: ({ processorShare }) => processorText(processorShare) },
  { title: "RSS", cells: 5, rank: 12, text: ({ residentBytes }) => Quantities.bytes(residentBytes) },
  { title: "SKEW", cells: 5, rank: 13, text: ({ clockSkewMillis }) => signed(clockSkewMillis) },
  {
    title: "OUT",
    cells: 16,
    rank: 14,
    align: "left",
    text: ({ id }, past) =>
      Sparkline.draw(past.map((each) => each.members.find((one) => one.id === id)?.outPerSecond), 16)
  },
  { title: "ADDRESS", cells: 21, rank: 15, align: "left", text: ({ address }) => Cells.clean(address) },
  { title: "VERSION", cells: 8, rank: 16, align: "left", text: ({ version }) => Cells.clean(version) }
]

const processorText = (share: number | undefined): string =>
  share === undefined ? Quantities.count(undefined) : String(Math.round(share * 100))

const signed = (millis: number): string => {
  const rounded = Math.round(millis)
  return rounded < 0 ? `-${Quantities.count(-rounded)}` : Quantities.count(rounded)
}

const compareText = (left: string, right: string): number => left < right ? -1 : left > right ? 1 : 0

const sortFigure: { readonly [By in Exclude<Sort, "member">]: (member: MemberFigures) => number | undefined } = {
  entries: ({ entries }) => entries,
  out: ({ outPerSecond }) => outPerSecond,
  in: ({ inPerSecond }) => inPerSecond,
  hit: ({ hitShare }) => hitShare,
  lag: ({ lagDatagrams, unsent }) => lagDatagrams === undefined ? undefined : lagDatagrams + (unsent ?? 0),
  lost: ({ lost }) => lost,
  p99: ({ propagationMillisP99 }) => propagationMillisP99,
  cpu: ({ processorShare }) => processorShare
}

/** By name upwards, by figures downwards; equal ones, and those without a figure, by name, so that rows do not jump. */
const inOrder = (members: ReadonlyArray<MemberFigures>, { reverse, sort }: View): ReadonlyArray<MemberFigures> => {
  const figure = sort === "member" ? () => 0 : (member: MemberFigures) => sortFigure[sort](member) ?? -1
  const turn = reverse ? -1 : 1
  return [...members].sort((left, right) => {
    const name = compareText(left.label, right.label) || compareText(left.id, right.id)
    return sort === "member" ? turn * name : turn * (figure(right) - figure(left)) || name
  })
}
