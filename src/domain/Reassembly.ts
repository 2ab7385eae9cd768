/**
 * Reassembly of one sender's large records from parts that arrive in any order, repeated or not, each put where it belongs in a
 * buffer that grows with them. Memory is bounded per sender and over all senders, whatever a part claims: what has no room is
 * refused, so that its datagram counts as not taken.
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
  /** Its first bytes, as far as parts reached; arbitrary where none came yet. */
  record: Uint8Array
  /** The lengths of the parts that came, by offset. */
  readonly parts: Map<number, number>
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
/** What a part is charged beyond the record's buffer, so that many tiny ones are bounded too. */
const partOverheadBytes = 128
/** Smaller records are given room as a whole. */
const roomMin = 262_144

/** The room that a record is given for a part that ends there. It doubles, so that little is moved. */
const roomFor = (end: number, total: number, room: number): number =>
  end <= room ? room : Math.min(total, Math.max(end, 2 * room, roomMin))

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

/** Takes in a part that came with a number of the sender's stream, if it did. */
export const offer = (self: Reassembly, part: Part, nowMillis: number, number = Infinity): Offer => {
  const { bytes, crc, offset, recordId, total } = part
  const end = offset + bytes.length
  if (total > self.recordBytesMax()) return { _tag: "TooLarge" }
  if (end > total) return { _tag: "Corrupt" }
  let partial = self.partials.get(recordId)
  if (partial !== undefined && (partial.total !== total || partial.crc !== crc)) return { _tag: "Corrupt" }
  const known = partial?.parts.get(offset)
  if (known !== undefined) return known === bytes.length ? { _tag: "Partial" } : { _tag: "Corrupt" }
  const hadRoom = partial?.record.length ?? 0
  const room = roomFor(end, total, hadRoom)
  const cost = room - hadRoom + partOverheadBytes
  if (
    self.bytes + cost > self.bytesMaxPerSender || self.budget.used + cost > self.budget.bytesMax ||
    (partial === undefined && self.partials.size >= partialsMax)
  ) return { _tag: "Full" }
  if (partial === undefined) {
    partial = {
      total,
      crc,
      record: new Uint8Array(0),
      parts: new Map(),
      arrivedBytes: 0,
      chargedBytes: 0,
      touchedMillis: nowMillis,
      firstNumber: number
    }
    self.partials.set(recordId, partial)
  }
  if (room > hadRoom) {
    // Without zeroing, which `Buffer` alone can do.
    const grown = new Uint8Array(Buffer.allocUnsafeSlow(room).buffer)
    grown.set(partial.record)
    partial.record = grown
  }
  partial.record.set(bytes, offset)
  partial.parts.set(offset, bytes.length)
  partial.touchedMillis = nowMillis
  if (number < partial.firstNumber) partial.firstNumber = number
  partial.arrivedBytes += bytes.length
  partial.chargedBytes += cost
  self.bytes += cost
  self.budget.used += cost
  if (partial.arrivedBytes < total) return { _tag: "Partial" }
  drop(self, recordId, partial)
  const { arrivedBytes, record } = partial
  return arrivedBytes === total && isGapless(partial) && checksum(record) === crc
    ? { _tag: "Whole", record }
    : { _tag: "Corrupt" }
}

/**
 * Whether parts whose lengths add up to the total lie end to end: then one begins at 0, and each ends where another
 * begins or at the end. Sorting them would tell, too, and hundreds of thousands of tiny ones would stall this member.
 */
const isGapless = ({ parts, total }: Partial): boolean => {
  const begins = new Uint8Array(Math.floor(total / 8) + 1)
  for (const offset of parts.keys()) begins[Math.floor(offset / 8)] |= 1 << (offset % 8)
  for (const [offset, length] of parts) {
    const end = offset + length
    if (end < total && (begins[Math.floor(end / 8)] & (1 << (end % 8))) === 0) return false
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
