/**
 * Framing: records in bodies. A body is a kind, for data a number, and pieces. Small records share a body; a record larger
 * than one is cut into parts, which travel in bodies of their own and in any order.
 *
 * ```
 * body   0  u8   1 data · 2 control
 *        1  u48  number; its top bit asks to be acknowledged at once          (data only)
 *        …  pieces
 * piece  0  u8   0 whole · 1 part
 *  whole    varint length, bytes
 *  part     varint record id, varint total, varint offset, u32 crc of the whole record, varint length, bytes
 * ```
 *
 * A record may have any size: there is no limit of pieces, only that of the receiver (`Reassembly`).
 */
import { checksum } from "./Checksum.ts"
import { read16, read32, write16, write32 } from "./Fields.ts"
import * as Invariant from "./Invariant.ts"
import { type Margins, noMargins, Slab } from "./Slab.ts"
import * as Varint from "./Varint.ts"

export const bodyPrefixBytes = { data: 7, control: 1 } as const

const kindData = 1
const kindControl = 2
const pieceWhole = 0
const piecePart = 1
const asksBit = 0x8000

/** One part of a record. The bytes are a view of the datagram. */
export interface Part {
  readonly recordId: number
  readonly total: number
  readonly offset: number
  readonly crc: number
  readonly bytes: Uint8Array
}

/** Record ids of a sender: data and control share them, so that parts of the one are never taken for the other's. */
export interface RecordIds {
  last: number
}

export const makeRecordIds = (): RecordIds => ({ last: 0 })

/** The most that a part needs beyond its bytes. */
const partOverhead = (recordId: number, total: number): number => 1 + Varint.size(recordId) + 3 * Varint.size(total) + 4

/** Fills the pieces of bodies. */
export class Packer {
  readonly #bodyBytesMax: number
  readonly #ids: RecordIds
  readonly #scratch: Buffer
  readonly #prefixBytes: number
  readonly #margins: Margins
  readonly #slab = new Slab()
  #used = 0

  /**
   * `bodyBytesMax` without the prefix, for which that much room is left before the pieces of each body. The margins are around
   * each body, outside of it.
   */
  constructor(options: {
    readonly bodyBytesMax: number
    readonly ids: RecordIds
    readonly prefixBytes?: number | undefined
    readonly margins?: Margins | undefined
  }) {
    Invariant.check(options.bodyBytesMax >= 64, "a body holds at least 64 bytes of pieces")
    this.#bodyBytesMax = options.bodyBytesMax
    this.#ids = options.ids
    this.#prefixBytes = options.prefixBytes ?? 0
    this.#margins = options.margins ?? noMargins
    this.#scratch = Buffer.alloc(this.#prefixBytes + options.bodyBytesMax)
  }

  /** Adds a record, whose bytes are copied. Returns the pieces of the bodies that became full. */
  add(record: Uint8Array): ReadonlyArray<Uint8Array> {
    const full: Array<Uint8Array> = []
    const at = this.place(record.length, full)
    if (at < 0) return this.#cut(record)
    this.#scratch.set(record, at)
    return full
  }

  /** The bytes of the body in work: what `place` gave is written here. */
  get target(): Uint8Array {
    return this.#scratch
  }

  /**
   * Makes room in the body in work for a record of so many bytes, and says where it begins; -1 when no body has room for it.
   * A body that became full for it is added to `full`.
   */
  place(length: number, full: Array<Uint8Array>): number {
    const needed = 1 + Varint.size(length) + length
    if (needed > this.#bodyBytesMax) return -1
    if (this.#used + needed > this.#bodyBytesMax) {
      const rest = this.flush()
      if (rest !== undefined) full.push(rest)
    }
    const start = this.#prefixBytes + this.#used
    this.#scratch[start] = pieceWhole
    this.#used += needed
    return Varint.write(this.#scratch, start + 1, length)
  }

  /** Whether the body in work has room for a record of so many bytes. */
  hasRoom(length: number): boolean {
    return this.#used + 1 + Varint.size(length) + length <= this.#bodyBytesMax
  }

  /** Whether no record waits for a body to be full. */
  get isEmpty(): boolean {
    return this.#used === 0
  }

  /** The pieces that are left over, if any. */
  flush(): Uint8Array | undefined {
    if (this.#used === 0) return undefined
    const pieces = this.#slab.take(this.#prefixBytes + this.#used, this.#margins)
    pieces.set(this.#scratch.subarray(0, pieces.length))
    this.#used = 0
    return pieces
  }

  #cut(record: Uint8Array): ReadonlyArray<Uint8Array> {
    const bodies: Array<Uint8Array> = []
    const rest = this.flush()
    if (rest !== undefined) bodies.push(rest)
    const recordId = ++this.#ids.last
    const crc = checksum(record)
    const room = this.#bodyBytesMax - partOverhead(recordId, record.length)
    for (let offset = 0; offset < record.length; offset += room) {
      const length = Math.min(room, record.length - offset)
      const bytes = this.#prefixBytes + partOverhead(recordId, record.length) + length
      const pieces = this.#slab.take(bytes, this.#margins)
      pieces[this.#prefixBytes] = piecePart
      let at = Varint.write(pieces, this.#prefixBytes + 1, recordId)
      at = Varint.write(pieces, at, record.length)
      at = Varint.write(pieces, at, offset)
      at = Varint.write(pieces, write32(crc, pieces, at), length)
      pieces.set(record.subarray(offset, offset + length), at)
      bodies.push(pieces.subarray(0, at + length))
    }
    return bodies
  }
}

/** The length of a control body that holds one whole record of this length. */
export const controlBodyBytes = (recordBytes: number): number =>
  bodyPrefixBytes.control + 1 + Varint.size(recordBytes) + recordBytes

/** Makes pieces that leave room for the prefix a data body; `asks` wants an acknowledgement at once. */
export const numberBody = (body: Uint8Array, number: number, asks: boolean): void => {
  const high = Math.floor(number / 0x1_0000_0000) | (asks ? asksBit : 0)
  body[0] = kindData
  write32(number >>> 0, body, write16(high, body, 1))
}

/** A control body. */
export const controlBody = (pieces: Uint8Array): Uint8Array => {
  const body = new Uint8Array(bodyPrefixBytes.control + pieces.length)
  body[0] = kindControl
  body.set(pieces, bodyPrefixBytes.control)
  return body
}

/** Told what a body holds, in order. The bytes of parts are views of the body. */
export interface Visitor {
  readonly data: (number: number, asks: boolean) => void
  /** A record: the bytes from `start` to `end`. */
  readonly whole: (bytes: Uint8Array, start: number, end: number) => void
  readonly part: (part: Part) => void
}

/** Reads a body; false at the first thing that is malformed. Never throws. */
export const readBody = (body: Uint8Array, visitor: Visitor): boolean => {
  const kind = body[0]
  let start: number = bodyPrefixBytes.control
  if (kind === kindData) {
    if (body.length < bodyPrefixBytes.data) return false
    const high = read16(body, 1)
    const number = (high & ~asksBit) * 0x1_0000_0000 + read32(body, 3)
    if (number === 0) return false
    visitor.data(number, (high & asksBit) !== 0)
    start = bodyPrefixBytes.data
  } else if (kind !== kindControl) return false
  const reader = new Varint.Reader(body, start)
  while (reader.at < body.length) {
    const piece = body[reader.at++]
    if (piece === pieceWhole) {
      const length = reader.next()
      const from = reader.at
      if (reader.failed || length > body.length - from) return false
      reader.at = from + length
      visitor.whole(body, from, from + length)
    } else if (piece === piecePart) {
      const recordId = reader.next()
      const total = reader.next()
      const offset = reader.next()
      if (reader.failed || reader.at + 4 > body.length) return false
      const crc = read32(body, reader.at)
      reader.at += 4
      const length = reader.next()
      const from = reader.at
      if (reader.failed || length === 0 || length > body.length - from || offset + length > total) return false
      reader.at = from + length
      visitor.part({ recordId, total, offset, crc, bytes: body.subarray(from, from + length) })
    } else return false
  }
  return true
}
