/**
 * Reassembly of one sender's large records from parts that arrive in any order, repeated or not. Parts are put where they belong
 * in a buffer that grows with them; one far ahead of the others is kept aside until the buffer reaches it. What is kept is
 * proportional to what arrived, whatever a part claims, and bounded per sender and over all senders: what has no room is refused,
 * so that its datagram counts as not taken. While a buffer grows, the former one is there as well, and is not charged.
 */
import { checksum } from "./Checksum.ts"
import type { Part } from "./Framing.ts"

/** Bytes that all senders' incomplete records share. */
export interface Budget {
  readonly bytesMax: number
  used: number
}

export const makeBudget = (bytesMax: number): Budget => ({ bytesMax, used: 0 })
export const used = (self: Budget): number => self.used

interface Partial {
  readonly total: number
  readonly crc: number
  /** Its first bytes, of which those are arbitrary that did not come yet. */
  record: Uint8Array
  /** Copies of the parts that lie beyond, by offset. */
  readonly aside: Map<number, Uint8Array>
  /** The lengths of all parts that came, by offset. */
  readonly lengths: Map<number, number>
  arrivedBytes: number
  /** What it is charged. */
  chargedBytes: number
  touchedMillis: number
  /** The least number of the sender's stream that brought a part of it; `Infinity` for none. */
  firstNumber: number
}

export interface Reassembly {
  /** The largest record that this member takes: it rises as namespaces are opened. */
  readonly recordBytesMax: () => number
  readonly bytesMaxPerSender: number
  readonly idleMillis: number
  readonly budget: Budget
  readonly partials: Map<number, Partial>
  bytes: number
  /** The greatest id of a record that was given up: ids only rise, so that what is left of such a one is recognised. */
  givenUp: number
}

export const make = (options: {
  readonly recordBytesMax: () => number
  readonly bytesMaxPerSender: number
  readonly idleMillis?: number | undefined
  readonly budget: Budget
}): Reassembly => ({
  recordBytesMax: options.recordBytesMax,
  bytesMaxPerSender: options.bytesMaxPerSender,
  idleMillis: options.idleMillis ?? 10_000,
  budget: options.budget,
  partials: new Map(),
  bytes: 0,
  givenUp: 0
})

export type Offer =
  | { readonly _tag: "Whole"; readonly record: Uint8Array }
  | { readonly _tag: "Partial" }
  /** No room: the datagram must count as not taken. */
  | { readonly _tag: "Full" }
  /** Parts that do not belong together. */
  | { readonly _tag: "Corrupt" }
  /** More than this member ever holds: skipped. */
  | { readonly _tag: "TooLarge" }

/** Incomplete records per sender; a sender works on one or two at a time. */
const partialsMax = 1_024
/** What a part is charged beyond its bytes, so that many tiny ones are bounded too. */
const partOverheadBytes = 128
/** Smaller records are given room as a whole. */
const roomMin = 262_144

const drop = (self: Reassembly, recordId: number, partial: Partial): void => {
  self.partials.delete(recordId)
  self.bytes -= partial.chargedBytes
  self.budget.used -= partial.chargedBytes
}

/** The least number that brought a part of a record that is not complete; `Infinity` for none. */
export const firstIncomplete = (self: Reassembly): number => {
  let first = Infinity
  for (const partial of self.partials.values()) first = Math.min(first, partial.firstNumber)
  return first
}

/** Gives a record more room, and moves there what was kept aside for it. Returns by how many bytes more is kept. */
const grow = (partial: Partial, room: number): number => {
  // Without zeroing, which `Buffer` alone can do.
  const record = new Uint8Array(Buffer.allocUnsafeSlow(room).buffer)
  let kept = room - partial.record.length
  record.set(partial.record)
  for (const [offset, bytes] of partial.aside) {
    if (offset + bytes.length > room) continue
    record.set(bytes, offset)
    partial.aside.delete(offset)
    kept -= bytes.length
  }
  partial.record = record
  return kept
}

const nothing = new Uint8Array(0)

/** Takes in a part that came with a number of the sender's stream, if it did. */
export const offer = (self: Reassembly, part: Part, nowMillis: number, number = Infinity): Offer => {
  const { bytes, crc, offset, recordId, total } = part
  const end = offset + bytes.length
  if (total > self.recordBytesMax()) return { _tag: "TooLarge" }
  if (end > total) return { _tag: "Corrupt" }
  const known = self.partials.get(recordId)
  // Its first parts counted as taken: no more of it may, or what was never whole would be taken for folded.
  if (known === undefined && recordId <= self.givenUp) return { _tag: "Full" }
  const partial: Partial = known ?? {
    total,
    crc,
    record: nothing,
    aside: new Map(),
    lengths: new Map(),
    arrivedBytes: 0,
    chargedBytes: 0,
    touchedMillis: nowMillis,
    firstNumber: number
  }
  if (partial.total !== total || partial.crc !== crc) return { _tag: "Corrupt" }
  const had = partial.lengths.get(offset)
  if (had !== undefined) return had === bytes.length ? { _tag: "Partial" } : { _tag: "Corrupt" }
  const arrivedBytes = partial.arrivedBytes + bytes.length
  const room = Math.min(total, Math.max(roomMin, 2 * arrivedBytes))
  const isBeyond = end > partial.record.length
  // It doubles, or is as large as it will be: a little more for each part would be to move all of them each time.
  const grows = isBeyond && end <= room && (room === total || room >= 2 * partial.record.length)
  const isAside = isBeyond && !grows
  const mostBytes = partOverheadBytes + (isAside ? bytes.length : grows ? room - partial.record.length : 0)
  if (
    self.bytes + mostBytes > self.bytesMaxPerSender || self.budget.used + mostBytes > self.budget.bytesMax ||
    (known === undefined && self.partials.size >= partialsMax)
  ) return { _tag: "Full" }
  let kept = partOverheadBytes
  if (isAside) {
    // A copy: a view would keep the whole datagram. Of a `Buffer`, its own `slice` is one.
    partial.aside.set(offset, Uint8Array.prototype.slice.call(bytes))
    kept += bytes.length
  } else {
    if (grows) kept += grow(partial, room)
    partial.record.set(bytes, offset)
  }
  self.partials.set(recordId, partial)
  partial.lengths.set(offset, bytes.length)
  partial.arrivedBytes = arrivedBytes
  partial.touchedMillis = nowMillis
  if (number < partial.firstNumber) partial.firstNumber = number
  partial.chargedBytes += kept
  self.bytes += kept
  self.budget.used += kept
  if (arrivedBytes < total) return { _tag: "Partial" }
  drop(self, recordId, partial)
  if (arrivedBytes > total || !isGapless(partial)) return { _tag: "Corrupt" }
  if (partial.record.length < total) grow(partial, total)
  return checksum(partial.record) === crc ? { _tag: "Whole", record: partial.record } : { _tag: "Corrupt" }
}

/**
 * Whether parts whose lengths add up to the total lie end to end: then one begins at 0, and each ends where another
 * begins or at the end. Sorting them would tell, too, and hundreds of thousands of tiny ones would stall this member.
 */
const isGapless = ({ lengths, total }: Partial): boolean => {
  const begins = new Uint8Array(Math.floor(total / 8) + 1)
  for (const offset of lengths.keys()) begins[Math.floor(offset / 8)] |= 1 << (offset % 8)
  for (const [offset, length] of lengths) {
    const end = offset + length
    if (end < total && (begins[Math.floor(end / 8)] & (1 << (end % 8))) === 0) return false
  }
  return (begins[0] & 1) === 1
}

/** Drops what nothing was added to for a while. */
export const expire = (self: Reassembly, nowMillis: number): void => {
  for (const [recordId, partial] of self.partials) {
    if (nowMillis - partial.touchedMillis <= self.idleMillis) continue
    drop(self, recordId, partial)
    self.givenUp = Math.max(self.givenUp, recordId)
  }
}

export const dropAll = (self: Reassembly): void => {
  for (const [recordId, partial] of self.partials) drop(self, recordId, partial)
}
