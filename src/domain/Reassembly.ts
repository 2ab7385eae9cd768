/**
 * Reassembly of one sender's large records from parts that arrive in any order, repeated or not. Memory is proportional to
 * what arrived, whatever a part claims, and bounded per sender and over all senders: what has no room is refused, so that
 * its datagram counts as not taken.
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
  readonly parts: Map<number, Uint8Array>
  bytes: number
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
  bytes: 0
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

const charge = (part: Uint8Array): number => part.length + partOverheadBytes

const drop = (self: Reassembly, recordId: number, partial: Partial): void => {
  self.partials.delete(recordId)
  self.bytes -= partial.bytes
  self.budget.used -= partial.bytes
}

/** The least number that brought a part of a record that is not complete; `Infinity` for none. */
export const firstIncomplete = (self: Reassembly): number => {
  let first = Infinity
  for (const partial of self.partials.values()) first = Math.min(first, partial.firstNumber)
  return first
}

/** Takes in a part that came with a number of the sender's stream, if it did. */
export const offer = (self: Reassembly, part: Part, nowMillis: number, number = Infinity): Offer => {
  if (part.total > self.recordBytesMax()) return { _tag: "TooLarge" }
  let partial = self.partials.get(part.recordId)
  if (partial !== undefined && (partial.total !== part.total || partial.crc !== part.crc)) return { _tag: "Corrupt" }
  const cost = charge(part.bytes)
  if (
    self.bytes + cost > self.bytesMaxPerSender || self.budget.used + cost > self.budget.bytesMax ||
    (partial === undefined && self.partials.size >= partialsMax)
  ) return { _tag: "Full" }
  if (partial === undefined) {
    partial = {
      total: part.total,
      crc: part.crc,
      parts: new Map(),
      bytes: 0,
      touchedMillis: nowMillis,
      firstNumber: number
    }
    self.partials.set(part.recordId, partial)
  }
  const known = partial.parts.get(part.offset)
  if (known !== undefined) return known.length === part.bytes.length ? { _tag: "Partial" } : { _tag: "Corrupt" }
  // A copy: a view would keep the whole datagram. Of a `Buffer`, its own `slice` is one.
  partial.parts.set(part.offset, Uint8Array.prototype.slice.call(part.bytes))
  partial.touchedMillis = nowMillis
  if (number < partial.firstNumber) partial.firstNumber = number
  partial.bytes += cost
  self.bytes += cost
  self.budget.used += cost
  const held = partial.bytes - partial.parts.size * partOverheadBytes
  if (held < part.total) return { _tag: "Partial" }
  drop(self, part.recordId, partial)
  if (held > part.total || !isGapless(partial)) return { _tag: "Corrupt" }
  const record = new Uint8Array(part.total)
  for (const [offset, bytes] of partial.parts) record.set(bytes, offset)
  return checksum(record) === part.crc ? { _tag: "Whole", record } : { _tag: "Corrupt" }
}

/**
 * Whether parts whose lengths add up to the total lie end to end: then one begins at 0, and each ends where another
 * begins or at the end. Sorting them would tell, too, and hundreds of thousands of tiny ones would stall this member.
 */
const isGapless = ({ parts, total }: Partial): boolean => {
  const begins = new Uint8Array(Math.floor(total / 8) + 1)
  for (const offset of parts.keys()) begins[Math.floor(offset / 8)] |= 1 << (offset % 8)
  for (const [offset, { length }] of parts) {
    const end = offset + length
    if (end > total || (end < total && (begins[Math.floor(end / 8)] & (1 << (end % 8))) === 0)) return false
  }
  return (begins[0] & 1) === 1
}

/** Drops what nothing was added to for a while. */
export const expire = (self: Reassembly, nowMillis: number): void => {
  for (const [recordId, partial] of self.partials) {
    if (nowMillis - partial.touchedMillis > self.idleMillis) drop(self, recordId, partial)
  }
}

export const dropAll = (self: Reassembly): void => {
  for (const [recordId, partial] of self.partials) drop(self, recordId, partial)
}
