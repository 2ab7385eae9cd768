/**
 * The binary form of the answers to LISTING and WANT, by position (big-endian), as they are nearly all that a join or a repair
 * moves: by `SchemaBinary` they took a third of the processor time of both sides.
 *
 * ```
 * LISTING   status u8 | bucket u8 | floor u56 | forget line u56 | writers | varint n, n items
 * item      flags u8 | varint place of the writer | clock u56 | key | varint bytes
 *
 * WANT      status u8 | writers | varint n, n copies
 * copy      flags u8 | varint place of the writer | clock u56 | key
 *           | expiresAt u48, Unix ms (flag 8) | crc u32, varint length, value (flag 4)
 *
 * writers   varint n, n times 16 bytes: most records share a few
 * key       varint length, UTF-8, or f64 (flag 1)
 * flags     1 the key is a number · 4 a value follows · 8 an expiry follows · 16 × the kind
 * status    0 ok · 1 closed · 2 later · 3 options
 * ```
 *
 * Guarantees: `decode` of any bytes gives an answer that a donor could give, or `undefined`; it never throws, and allocates no
 * more than the bytes explain. An answer ends where its bytes do: one that lacks something is none.
 */
import * as Fields from "./Fields.ts"
import * as Keys from "./Key.ts"
import type { Key } from "./Key.ts"
import * as MemberId from "./MemberId.ts"
import type { Status } from "./Operation.ts"
import * as Packed from "./Packed.ts"
import type * as Repair from "./Repair.ts"
import type * as Stamp from "./Stamp.ts"
import * as Varint from "./Varint.ts"

export interface Codec<A> {
  readonly encode: (value: A) => Uint8Array
  readonly decode: (bytes: Uint8Array) => A | undefined
}

/** All records of one bucket. */
export interface ListingReply extends Repair.Listing {
  readonly status: Status
}

/** Copies of records. */
export interface CopiesReply {
  readonly status: Status
  readonly copies: ReadonlyArray<Repair.Copy>
}

const flagNumberKey = 1
const flagValue = 4
const flagExpiry = 8
const kindsAt = 4
const kinds: ReadonlyArray<Repair.Kind> = [0, 1, 2, 3, 4]
const statuses: ReadonlyArray<Status> = ["ok", "closed", "later", "options"]
const memberIdBytes = 16
/** What an item or a copy takes at least: flags, writer, clock, a key of one character. */
const recordBytesMin = 2 + Fields.clockBytes + 2

interface Stamped {
  readonly key: Key
  readonly clock: number
  readonly writer: Stamp.MemberId
  readonly kind: Repair.Kind
}

// -------------------------------------------------------------------------------------------------- writing

/** The places of the writers, in order of their first record. */
const placesOf = (records: ReadonlyArray<Stamped>): Map<Stamp.MemberId, number> => {
  const places = new Map<Stamp.MemberId, number>()
  for (const { writer } of records) if (!places.has(writer)) places.set(writer, places.size)
  return places
}

const writersBytes = (places: ReadonlyMap<Stamp.MemberId, number>): number =>
  Varint.size(places.size) + memberIdBytes * places.size

const writeWriters = (places: ReadonlyMap<Stamp.MemberId, number>, target: Uint8Array, at: number): number => {
  at = Varint.write(target, at, places.size)
  for (const writer of places.keys()) {
    MemberId.write(writer, target, at)
    at += memberIdBytes
  }
  return at
}

/** The bytes of flags, writer, clock and key. */
const stampedBytes = ({ key, writer }: Stamped, places: ReadonlyMap<Stamp.MemberId, number>): number => {
  const keyBytes = Keys.bytes(key)
  return 1 + Varint.size(places.get(writer) ?? 0) + Fields.clockBytes + keyBytes +
    (typeof key === "string" ? Varint.size(keyBytes) : 0)
}

const writeStamped = (
  { clock, key, kind, writer }: Stamped,
  flags: number,
  places: ReadonlyMap<Stamp.MemberId, number>,
  target: Uint8Array,
  at: number
): number => {
  target[at] = (kind << kindsAt) | flags | (typeof key === "number" ? flagNumberKey : 0)
  at = Fields.writeClock(clock, target, Varint.write(target, at + 1, places.get(writer) ?? 0))
  if (typeof key === "number") return Fields.writeFloat(key, target, at)
  const keyBytes = Keys.bytes(key)
  return Fields.writeText(key, keyBytes, target, Varint.write(target, at, keyBytes))
}

const encodeListing = ({ bucket, floor, forget, items, status }: ListingReply): Uint8Array => {
  const places = placesOf(items)
  let length = 2 + 2 * Fields.clockBytes + writersBytes(places) + Varint.size(items.length)
  for (const item of items) length += stampedBytes(item, places) + Varint.size(item.bytes)
  const target = new Uint8Array(length)
  target[0] = statuses.indexOf(status)
  target[1] = bucket
  let at = Fields.writeClock(forget, target, Fields.writeClock(floor, target, 2))
  at = Varint.write(target, writeWriters(places, target, at), items.length)
  for (const item of items) at = Varint.write(target, writeStamped(item, 0, places, target, at), item.bytes)
  return target
}

const encodeCopies = ({ copies, status }: CopiesReply): Uint8Array => {
  const places = placesOf(copies)
  let length = 1 + writersBytes(places) + Varint.size(copies.length)
  for (const copy of copies) {
    const { expiresAt, value } = copy
    length += stampedBytes(copy, places) + (expiresAt === 0 ? 0 : 6)
    if (value !== undefined) length += 4 + Varint.size(value.length) + value.length
  }
  const target = new Uint8Array(length)
  target[0] = statuses.indexOf(status)
  let at = Varint.write(target, writeWriters(places, target, 1), copies.length)
  for (const copy of copies) {
    const { crc, expiresAt, value } = copy
    const flags = (expiresAt === 0 ? 0 : flagExpiry) | (value === undefined ? 0 : flagValue)
    at = writeStamped(copy, flags, places, target, at)
    if (expiresAt !== 0) at = Fields.write48(expiresAt, target, at)
    if (value === undefined) continue
    at = Varint.write(target, Fields.write32(crc, target, at), value.length)
    Packed.write(value, target, at)
    at += value.length
  }
  return target
}

// -------------------------------------------------------------------------------------------------- reading

/** Reads fields one after the other. What it gives after `failed` was set means nothing. */
class Reader extends Varint.Reader {
  #writers: ReadonlyArray<Stamp.MemberId> = []
  #flags = 0

  /** Passes so many bytes; where they begin. */
  take(count: number): number {
    const from = this.at
    if (count <= this.bytes.length - from) this.at = from + count
    else this.failed = true
    return from
  }

  byte(): number {
    return this.bytes[this.take(1)]
  }

  clock(): number {
    const clock = Fields.readClock(this.bytes, this.take(Fields.clockBytes))
    if (clock > Number.MAX_SAFE_INTEGER) this.failed = true
    return clock
  }

  status(): Status {
    const status = statuses[this.byte()]
    if (status === undefined) this.failed = true
    return status
  }

  /** How many follow, of so many bytes at least. */
  count(bytesMin: number): number {
    const count = this.next()
    if (count * bytesMin > this.bytes.length - this.at) this.failed = true
    return this.failed ? 0 : count
  }

  writers(): void {
    const count = this.count(memberIdBytes)
    this.#writers = Array.from({ length: count }, () => MemberId.read(this.bytes, this.take(memberIdBytes)))
  }

  /** The flags of a record, of which only those may be set. */
  flags(allowed: number): void {
    this.#flags = this.byte()
    if ((this.#flags & ~allowed & 15) !== 0) this.failed = true
  }

  has(flag: number): boolean {
    return (this.#flags & flag) !== 0
  }

  kind(): Repair.Kind {
    const kind = kinds[this.#flags >> kindsAt]
    if (kind === undefined) this.failed = true
    return kind
  }

  writer(): Stamp.MemberId {
    const writer = this.#writers[this.next()]
    if (writer === undefined) this.failed = true
    return writer
  }

  /** Only what can be a key: another would be held by all and be deleted by nobody. */
  key(): Key {
    if (this.has(flagNumberKey)) {
      const key = Fields.readFloat(this.bytes, this.take(8))
      if (!Number.isFinite(key)) this.failed = true
      return key
    }
    const length = this.next()
    const from = this.take(length)
    if (length === 0 || length > Keys.keyBytesMax) this.failed = true
    return this.failed ? "" : Fields.readText(this.bytes, from, length)
  }

  value(): Packed.Packed {
    const length = this.next()
    const from = this.take(length)
    return this.failed ? "" : Packed.hold(this.bytes, from, from + length)
  }

  /** Whether all was read, and all was well. */
  ended(): boolean {
    return !this.failed && this.at === this.bytes.length
  }
}

const decodeListing = (bytes: Uint8Array): ListingReply | undefined => {
  const reader = new Reader(bytes, 0)
  const status = reader.status()
  const bucket = reader.byte()
  const floor = reader.clock()
  const forget = reader.clock()
  reader.writers()
  const items: Array<Repair.Item> = []
  for (let left = reader.count(recordBytesMin + 1); left > 0 && !reader.failed; left--) {
    reader.flags(flagNumberKey)
    const kind = reader.kind()
    const writer = reader.writer()
    const clock = reader.clock()
    items.push({ key: reader.key(), clock, writer, kind, bytes: reader.next() })
  }
  return reader.ended() ? { status, bucket, floor, forget, items } : undefined
}

const decodeCopies = (bytes: Uint8Array): CopiesReply | undefined => {
  const reader = new Reader(bytes, 0)
  const status = reader.status()
  reader.writers()
  const copies: Array<Repair.Copy> = []
  for (let left = reader.count(recordBytesMin); left > 0 && !reader.failed; left--) {
    reader.flags(flagNumberKey | flagValue | flagExpiry)
    const kind = reader.kind()
    const writer = reader.writer()
    const clock = reader.clock()
    const key = reader.key()
    const expiresAt = reader.has(flagExpiry) ? Fields.read48(bytes, reader.take(6)) : 0
    const valued = reader.has(flagValue)
    // An entry without its value would be folded as a delete of it.
    if (valued !== (kind === 0)) reader.failed = true
    const crc = valued ? Fields.read32(bytes, reader.take(4)) : 0
    copies.push({ key, clock, writer, kind, expiresAt, crc, value: valued ? reader.value() : undefined })
  }
  return reader.ended() ? { status, copies } : undefined
}

/** Malformed UTF-8 is the one thing that the platform reports by throwing. */
const quietly = <A>(decode: (bytes: Uint8Array) => A | undefined) => (bytes: Uint8Array): A | undefined => {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

export const listing: Codec<ListingReply> = { encode: encodeListing, decode: quietly(decodeListing) }
export const copies: Codec<CopiesReply> = { encode: encodeCopies, decode: quietly(decodeCopies) }
