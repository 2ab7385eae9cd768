/**
 * Whether the members hold the same, namespace by namespace, as `mccache top` tells it.
 *
 * How it works: every heartbeat carries a light digest of each namespace (how many records, and a hash), as of a quantum of
 * time. So that to compare costs the members nothing, and nothing is sent for it. Only digests of the same quantum compare: the
 * newest that all who hold the namespace have told of.
 *
 * While others write, digests that were taken a moment apart differ without any fault, so this says `changing`, and for how long
 * nothing equal was seen. `differ` is said only when the namespace stood still: no write was counted since, and all told of a
 * quantum that began after that. What lasts, then, is an incoherence that repair has not mended.
 */
import type { NamespaceSummary } from "../../domain/Operation.ts"
import type { MemberId } from "../../domain/Stamp.ts"

/** What a member told of a namespace. */
export interface Told
  extends Pick<NamespaceSummary, "name" | "fingerprint" | "sizing" | "caughtUp" | "quantum" | "count" | "hash">
{
  readonly member: MemberId
}

export type Verdict =
  /** One member holds it. */
  | { readonly type: "single" }
  | { readonly type: "equal" }
  /** They differed at each look for so long, while there were writes. */
  | { readonly type: "changing"; readonly millis: number }
  /** They differ for so long, and nothing is written. */
  | { readonly type: "differ"; readonly millis: number }
  /** Some member has not caught up yet. */
  | { readonly type: "joining" }
  /** Members hold as much as their own sizes allow, so that they hold other things. */
  | { readonly type: "sizes" }
  /** In modes 0 and 2 every member holds its own choice. */
  | { readonly type: "mode"; readonly mode: string }
  /** Members have it open with options that separate them. */
  | { readonly type: "conflict" }
  /** Not all have told of the same quantum yet. */
  | { readonly type: "unknown" }

interface Digest {
  readonly quantum: number
  readonly text: string
}

interface Kept {
  /** The last digests of each member, the newest last. */
  readonly digests: ReadonlyMap<MemberId, ReadonlyArray<Digest>>
  readonly verdict: Verdict
  /** The newest quantum that was told when a write was last seen. */
  readonly writtenQuantum: number
  /** When what is unequal now was last seen equal, or first seen. */
  readonly sinceMillis: number
}

/** What earlier samples told, by namespace. */
export type Memory = ReadonlyMap<string, Kept>

export const empty: Memory = new Map()

/** Digests of a member that are kept: turns of heartbeats differ by a few quanta where there are many namespaces. */
const digestsMax = 8

/** Takes in what all members told. `wrote`: whether a write of the namespace was counted since the last sample. */
export const observe = (
  memory: Memory,
  told: ReadonlyArray<Told>,
  wrote: (namespace: string) => boolean,
  nowMillis: number
): Memory =>
  new Map([...Map.groupBy(told, ({ name }) => name)].map(([name, all]) => [
    name,
    step(memory.get(name), all, wrote(name), nowMillis)
  ]))

const step = (before: Kept | undefined, told: ReadonlyArray<Told>, wrote: boolean, nowMillis: number): Kept => {
  const comparable = told.filter(({ caughtUp, quantum }) => caughtUp && quantum > 0)
  const digests = new Map(comparable.map((each) => [each.member, add(before?.digests.get(each.member) ?? [], each)]))
  const newest = Math.max(0, ...comparable.map(({ quantum }) => quantum))
  // What is written before the first look may be under way still.
  const writtenQuantum = before === undefined || wrote ? newest : before.writtenQuantum
  const kept = { digests, writtenQuantum, sinceMillis: nowMillis }
  const obstacle = obstacleOf(told)
  if (obstacle !== undefined) return { ...kept, verdict: obstacle }
  const quantum = common([...digests.values()])
  if (quantum === undefined) return { ...kept, verdict: { type: "unknown" } }
  const texts = new Set([...digests.values()].map((of) => of.find((digest) => digest.quantum === quantum)?.text))
  if (texts.size === 1) return { ...kept, verdict: { type: "equal" } }
  const sinceMillis = before !== undefined && ["equal", "changing", "differ"].includes(before.verdict.type)
    ? before.sinceMillis
    : nowMillis
  // A digest of the quantum in which the write was seen, or of the next, may have been told before it and after it.
  const type = quantum > writtenQuantum + 1 ? "differ" : "changing"
  return { ...kept, sinceMillis, verdict: { type, millis: nowMillis - sinceMillis } }
}

const add = (before: ReadonlyArray<Digest>, { count, hash, quantum }: Told): ReadonlyArray<Digest> =>
  [...before.filter((digest) => digest.quantum !== quantum), { quantum, text: `${count} ${hash}` }].slice(-digestsMax)

/** Why there is nothing to compare. */
const obstacleOf = (told: ReadonlyArray<Told>): Verdict | undefined => {
  const [first] = told
  if (told.some(({ fingerprint }) => fingerprint !== first.fingerprint)) return { type: "conflict" }
  const mode = /\bmode=(\d)/.exec(first.fingerprint)?.[1] ?? "1"
  if (mode !== "1") return { type: "mode", mode }
  if (told.some(({ caughtUp }) => !caughtUp)) return { type: "joining" }
  if (told.length === 1) return { type: "single" }
  return told.some(({ sizing }) => capacity(sizing) !== capacity(first.sizing)) ? { type: "sizes" } : undefined
}

/** Members may have other times to live, and hold the same all the same. */
const capacity = (sizing: string): string => sizing.replace(/ ?ttlMillis=\S*/, "")

/** The newest quantum that all have. */
const common = (digests: ReadonlyArray<ReadonlyArray<Digest>>): number | undefined => {
  const [first, ...others] = digests
  return first?.map(({ quantum }) => quantum)
    .filter((quantum) => others.every((of) => of.some((digest) => digest.quantum === quantum)))
    .reduce<number | undefined>((newest, quantum) => Math.max(newest ?? 0, quantum), undefined)
}
