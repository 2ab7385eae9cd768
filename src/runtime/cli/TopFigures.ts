/** The figures of `mccache top`: what a cluster did between two samples. Pure, and what `--json` prints. */
import type { MemberId } from "../../domain/Stamp.ts"
import type { NamespaceMetrics } from "../../services/CacheCore.ts"
import type { Gathered, MemberInfo } from "../../services/Gather.ts"
import type { MemberMetrics } from "../../services/Reports.ts"
import * as Copies from "./Copies.ts"

/** What was asked and heard at a moment. */
export interface Sample {
  readonly atMillis: number
  /** All that the observer knows, itself among them, with the state `self`. */
  readonly members: ReadonlyArray<MemberInfo>
  readonly metrics: Gathered<MemberMetrics>
  readonly told: ReadonlyArray<Copies.Told>
}

/** Of a member. What nobody knows is absent: the rates of the first sample, and all of one that did not answer. */
export interface MemberFigures {
  readonly id: MemberId
  readonly label: string
  readonly address: string
  readonly version: string
  /** `silent`: it did not answer in time. */
  readonly state: MemberInfo["state"] | "silent"
  readonly clockSkewMillis: number
  readonly namespaces?: number
  readonly entries?: number
  readonly bytes?: number
  /** Writes (sets, deletes, clears) sent to others, and received from them, a second. */
  readonly outPerSecond?: number
  readonly inPerSecond?: number
  readonly lookupsPerSecond?: number
  /** The share of lookups that found something, 0 to 1; absent while there are none. */
  readonly hitShare?: number
  /** Datagrams that the slowest of the others has not settled, and writes that wait to be sent. */
  readonly lagDatagrams?: number
  readonly unsent?: number
  /** Since it started. */
  readonly lost?: number
  readonly repaired?: number
  readonly abandoned?: number
  readonly lostPerSecond?: number
  /** Of writes received since it started. */
  readonly propagationMillisP50?: number
  readonly propagationMillisP99?: number
  /** Of one processor, 0 to 1 and more. */
  readonly processorShare?: number
  readonly residentBytes?: number
}

/** Of a namespace, over all members that have it open. */
export interface NamespaceFigures {
  readonly name: string
  readonly members: number
  /** At the member that holds fewest, and at that which holds most. */
  readonly entriesMin: number
  readonly entriesMax: number
  readonly bytesMax: number
  readonly lookupsPerSecond?: number
  readonly hitShare?: number
  /** Changes that were applied, at all members together: a write that all apply counts as often as there are members. */
  readonly changesPerSecond?: number
  readonly evictsPerSecond?: number
  readonly copies: Copies.Verdict
}

/** Over all members. Of the propagation the worst. */
export interface Totals {
  readonly members: number
  readonly answered: number
  readonly outPerSecond?: number
  readonly inPerSecond?: number
  readonly lookupsPerSecond?: number
  readonly hitShare?: number
  readonly lagDatagrams: number
  readonly lost: number
  readonly repaired: number
  readonly abandoned: number
  readonly lostPerSecond?: number
  readonly propagationMillisP50?: number
  readonly propagationMillisP99?: number
}

export interface Figures {
  readonly atMillis: number
  readonly totals: Totals
  readonly namespaces: ReadonlyArray<NamespaceFigures>
  readonly members: ReadonlyArray<MemberFigures>
}

/** A sample with what is known by then. */
export interface Seen {
  readonly sample: Sample
  readonly memory: Copies.Memory
  readonly figures: Figures
}

/** The figures of a sample, against what was seen before. */
export const see = (before: Seen | undefined, sample: Sample): Seen => {
  const others = sample.members.filter(({ state }) => state !== "self")
  const ids = new Set(others.map(({ id }) => id))
  const now = answersOf(sample, ids)
  const earlier = before === undefined ? undefined : answersOf(before.sample, ids)
  const seconds = before === undefined ? 0 : (sample.atMillis - before.sample.atMillis) / 1_000
  const span: Span = { now, earlier, seconds }
  // What a suspect told last is not what it holds now, and it is not at fault for that.
  const judged = new Set(others.filter(({ state }) => state !== "suspect").map(({ id }) => id))
  const memory = Copies.observe(
    before?.memory ?? Copies.empty,
    sample.told.filter(({ member }) => judged.has(member)),
    (name) => [...now].some(([id, { namespaces }]) => changed(earlier?.get(id)?.namespaces[name], namespaces[name])),
    sample.atMillis
  )
  const members = others.map((member) => memberFigures(member, span))
  const names = new Set([...now.values()].flatMap(({ namespaces }) => Object.keys(namespaces)))
  return {
    sample,
    memory,
    figures: {
      atMillis: sample.atMillis,
      totals: totals(members, span),
      namespaces: [...names].map((name) => namespaceFigures(name, span, memory)),
      members
    }
  }
}

/** The answers of two samples, by member, and the time between them. */
interface Span {
  readonly now: ReadonlyMap<MemberId, MemberMetrics>
  readonly earlier: ReadonlyMap<MemberId, MemberMetrics> | undefined
  readonly seconds: number
}

const answersOf = (sample: Sample, ids: ReadonlySet<MemberId>): ReadonlyMap<MemberId, MemberMetrics> =>
  new Map(sample.metrics.answers.filter(({ member }) => ids.has(member)).map(({ answer, member }) => [member, answer]))

/**
 * How fast a counter grew, over the members that answered both times; `undefined` when none did. Of one that came in
 * between, nobody knows what it did before.
 */
const rate = (
  span: Span,
  counter: (metrics: MemberMetrics) => number,
  ids: Iterable<MemberId> = span.now.keys()
): number | undefined => {
  let grown: number | undefined
  for (const id of ids) {
    const now = span.now.get(id)
    const earlier = span.earlier?.get(id)
    if (now === undefined || earlier === undefined) continue
    grown = (grown ?? 0) + Math.max(0, counter(now) - counter(earlier))
  }
  return grown === undefined || span.seconds <= 0 ? undefined : grown / span.seconds
}

const shareOf = (part: number | undefined, whole: number | undefined): number | undefined =>
  part === undefined || whole === undefined || whole <= 0 ? undefined : Math.min(1, Math.max(0, part / whole))

const sum = <A>(items: Iterable<A>, of: (item: A) => number): number => {
  let total = 0
  for (const item of items) total += of(item)
  return total
}

const all = (metrics: MemberMetrics, of: (namespace: NamespaceMetrics) => number): number =>
  sum(Object.values(metrics.namespaces), of)

const writes = (operations: { readonly [operation: string]: number }): number =>
  (operations.PUT ?? 0) + (operations.DEL ?? 0) + (operations.CLEAR ?? 0)

const changes = (namespace: NamespaceMetrics | undefined): number =>
  namespace === undefined
    ? 0
    : namespace.inserts + namespace.updates + namespace.deletes + namespace.evicts + namespace.expired

const changed = (before: NamespaceMetrics | undefined, now: NamespaceMetrics | undefined): boolean =>
  now !== undefined && before !== undefined && (changes(now) !== changes(before) || now.outbox > 0)

/** Leaves out what is not known. */
const known = <A extends object>(figures: A): { [Name in keyof A]: Exclude<A[Name], undefined> } =>
  Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined)) as {
    [Name in keyof A]: Exclude<A[Name], undefined>
  }

const trafficOf = (span: Span, ids?: Iterable<MemberId>) => {
  const chosen = ids === undefined ? [...span.now.keys()] : [...ids]
  const lookups = rate(span, (metrics) => all(metrics, (namespace) => namespace.lookups), chosen)
  const hits = rate(span, (metrics) => all(metrics, ({ lookups, misses }) => lookups - misses), chosen)
  return {
    outPerSecond: rate(span, ({ operations }) => writes(operations.out), chosen),
    inPerSecond: rate(span, ({ operations }) => writes(operations.in), chosen),
    lookupsPerSecond: lookups,
    hitShare: shareOf(hits, lookups),
    lostPerSecond: rate(span, ({ network }) => network.lost, chosen)
  }
}

const memberFigures = (member: MemberInfo, span: Span): MemberFigures => {
  const { address, clockSkewMillis, id, label, version } = member
  const told = { id, label, address, version, clockSkewMillis }
  const metrics = span.now.get(id)
  if (metrics === undefined) return { ...told, state: member.state === "suspect" ? "suspect" : "silent" }
  const processor = rate(span, ({ process }) => process.cpuMillis, [id])
  return known({
    ...told,
    state: member.state,
    namespaces: Object.keys(metrics.namespaces).length,
    entries: all(metrics, ({ count }) => count),
    bytes: all(metrics, ({ size }) => size),
    ...trafficOf(span, [id]),
    lagDatagrams: metrics.network.lagDatagrams,
    unsent: all(metrics, ({ outbox }) => outbox),
    lost: metrics.network.lost,
    repaired: metrics.network.repaired,
    abandoned: metrics.network.abandoned,
    ...propagationOf(metrics),
    processorShare: processor === undefined ? undefined : processor / 1_000,
    residentBytes: metrics.process.residentBytes
  })
}

const propagationOf = ({ propagation }: MemberMetrics) =>
  propagation.count === 0 ? {} : { propagationMillisP50: propagation.p50, propagationMillisP99: propagation.p99 }

const namespaceFigures = (name: string, span: Span, memory: Copies.Memory): NamespaceFigures => {
  const open = [...span.now].flatMap(([id, { namespaces }]) => name in namespaces ? [{ id, ...namespaces[name] }] : [])
  const ids = open.map(({ id }) => id)
  const of = (counter: (namespace: NamespaceMetrics) => number) =>
    // Opened in between, it counted nothing before.
    rate(span, ({ namespaces }) => name in namespaces ? counter(namespaces[name]) : 0, ids)
  const lookups = of((namespace) => namespace.lookups)
  return known({
    name,
    members: open.length,
    entriesMin: Math.min(...open.map(({ count }) => count)),
    entriesMax: Math.max(...open.map(({ count }) => count)),
    bytesMax: Math.max(...open.map(({ size }) => size)),
    lookupsPerSecond: lookups,
    hitShare: shareOf(of((namespace) => namespace.lookups - namespace.misses), lookups),
    changesPerSecond: of((namespace) => namespace.inserts + namespace.updates + namespace.deletes),
    evictsPerSecond: of((namespace) => namespace.evicts),
    copies: memory.get(name)?.verdict ?? { type: "unknown" as const }
  })
}

const totals = (members: ReadonlyArray<MemberFigures>, span: Span): Totals => {
  const worst = (of: (member: MemberFigures) => number | undefined): number | undefined => {
    const figures = members.map(of).filter((figure) => figure !== undefined)
    return figures.length === 0 ? undefined : Math.max(...figures)
  }
  return known({
    members: members.length,
    answered: span.now.size,
    ...trafficOf(span),
    lagDatagrams: worst(({ lagDatagrams }) => lagDatagrams) ?? 0,
    lost: sum(members, ({ lost }) => lost ?? 0),
    repaired: sum(members, ({ repaired }) => repaired ?? 0),
    abandoned: sum(members, ({ abandoned }) => abandoned ?? 0),
    propagationMillisP50: worst(({ propagationMillisP50 }) => propagationMillisP50),
    propagationMillisP99: worst(({ propagationMillisP99 }) => propagationMillisP99)
  })
}
