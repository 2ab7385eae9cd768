/** Whether a stress test passed: what members hold is compared key by key, and each finding says what differs and how. Pure. */
import type { Held, Listing, MemberReport } from "./Conversation.ts"

/** What a member holds, by its number, from 1. */
export interface Witness {
  readonly member: number
  readonly listing: Listing
}

export interface Difference {
  readonly key: string
  /**
   * `missing` at some · `stamp`: different writes · `value`: the same write with different bytes · `damaged`: bytes that nobody
   * wrote · `stale`: not what the only writer wrote last · `resurrected`: the only writer deleted it
   */
  readonly kind: "missing" | "stamp" | "value" | "damaged" | "stale" | "resurrected"
  /** For people: who holds what. */
  readonly how: string
}

export interface Comparison {
  /** Keys that somebody holds. */
  readonly keys: number
  readonly differences: ReadonlyArray<Difference>
  /** Own keys whose last write nobody holds any more: a cache may forget. */
  readonly forgotten: number
}

const show = ({ bytes, clock, crc, tag, writer }: Held): string =>
  `${tag ?? "a value that nobody wrote"} (stamp ${clock} of ${writer.slice(0, 8)}, crc ${
    crc.toString(16).padStart(8, "0")
  }, ${bytes} bytes)`

/** `1, 2: what; 3: what else`. */
const grouped = (members: ReadonlyArray<readonly [member: number, what: string]>): string => {
  const groups = new Map<string, Array<number>>()
  for (const [member, what] of members) {
    const group = groups.get(what)
    if (group === undefined) groups.set(what, [member])
    else group.push(member)
  }
  return [...groups].map(([what, group]) => `member ${group.join(", ")}: ${what}`).join("; ")
}

/** Compares what members hold. Only in mode 1 must all hold all; in the others, those that hold a key must agree. */
export const compare = (witnesses: ReadonlyArray<Witness>, mode: 0 | 1 | 2): Comparison => {
  const byKey = new Map<string, Map<number, Held>>()
  for (const { listing, member } of witnesses) {
    for (const held of listing.held) {
      let holders = byKey.get(held.key)
      if (holders === undefined) byKey.set(held.key, holders = new Map<number, Held>())
      holders.set(member, held)
    }
  }
  const differences: Array<Difference> = []
  for (const [key, holders] of byKey) {
    const kind = differs([...holders.values()], mode === 1 && holders.size < witnesses.length)
    if (kind === undefined) continue
    const all = witnesses.map(({ member }) => {
      const held = holders.get(member)
      return [member, held === undefined ? "nothing" : show(held)] as const
    })
    differences.push({ key, kind, how: grouped(all) })
  }
  let forgotten = 0
  for (const { listing, member: writer } of witnesses) {
    for (const [key, tag] of listing.own) {
      const holders = byKey.get(key)
      if (holders === undefined) {
        if (tag !== null) forgotten++
        continue
      }
      const wrong = [...holders].filter(([, held]) => held.tag !== undefined && held.tag !== tag)
      if (wrong.length === 0) continue
      const last = tag === null ? "deleted it" : `wrote ${tag}`
      differences.push({
        key,
        kind: tag === null ? "resurrected" : "stale",
        how: `member ${writer}, its only writer, ${last} last; ${
          grouped(wrong.map(([member, held]) => [member, show(held)]))
        }`
      })
    }
  }
  return { keys: byKey.size, differences, forgotten }
}

const differs = (holders: ReadonlyArray<Held>, missing: boolean): Difference["kind"] | undefined => {
  if (holders.some(({ tag }) => tag === undefined)) return "damaged"
  if (missing) return "missing"
  const [first] = holders
  if (holders.some(({ clock, writer }) => clock !== first.clock || writer !== first.writer)) return "stamp"
  return holders.some(({ bytes, crc, tag }) => crc !== first.crc || bytes !== first.bytes || tag !== first.tag)
    ? "value"
    : undefined
}

export interface Findings {
  readonly comparison: Comparison
  /** From the last change until all held the same; `undefined` when they never did. */
  readonly drainMillis: number | undefined
  readonly drainMillisMax: number
  /** How members ended that should not have. */
  readonly deaths: ReadonlyArray<string>
  readonly reports: ReadonlyArray<MemberReport>
}

/** What makes the run fail, in sentences; none: it passed. */
export const problems = (
  { comparison, deaths, drainMillis, drainMillisMax, reports }: Findings
): ReadonlyArray<string> => {
  const found = [...deaths]
  const { differences, keys } = comparison
  if (differences.length > 0) found.push(`members differ in ${differences.length} of ${keys} keys`)
  else if (drainMillis === undefined) {
    found.push(`the members were not quiet within ${drainMillisMax / 1_000} s after the last change`)
  }
  for (const { damagedReads, member, restarts, staleReads } of reports) {
    if (damagedReads > 0) found.push(`member ${member} read ${damagedReads} values that nobody wrote`)
    if (staleReads > 0) found.push(`member ${member} read ${staleReads} old values of keys that only it writes`)
    if (restarts > 0) found.push(`member ${member} had to restart ${restarts} of its fibers`)
  }
  return found
}
