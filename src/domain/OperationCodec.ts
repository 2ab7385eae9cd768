/**
 * The binary form of operations. A record is one operation: its tag's number in one byte, then its fields.
 *
 * ```
 * PUT, DEL, CLEAR, by position (big-endian):
 *   0        tag
 *   1        flags: 1 key is a number · 2 writer follows (absent: the sender wrote it) · 4 value follows · 8 expiry follows
 *   2  u8    n, bytes of the namespace's name      n bytes, UTF-8
 *      u48   clock, high 21 bits are zero in practice: 53 bits in 7 bytes
 *      16    writer                                (flag 2)
 *      u16   m, bytes of the key  m bytes, UTF-8 | f64 (flag 1)          PUT and DEL only
 *      u48   expiry, Unix ms                       (flag 8)              PUT only
 *      u32   crc of the value                                            PUT only
 *      …     value, to the end of the record       (flag 4)              PUT only
 * CHALLENGE, by position, because it answers anybody and so must be no larger than what it answers:
 *   0        tag
 *   1        nonce, 16 bytes
 * all others: SchemaBinary, in its evolvable mode
 * ```
 *
 * Guarantees: `decode` of any bytes either gives a valid operation or `undefined`; it never throws and allocates no
 * more than the bytes that it was given explain.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Key from "./Key.ts"
import * as MemberId from "./MemberId.ts"
import type { Control, Operation, Write } from "./Operation.ts"
import * as Op from "./Operation.ts"
import type * as Stamp from "./Stamp.ts"

const flagNumberKey = 1
const flagWriter = 2
const flagValue = 4
const flagExpiry = 8

const textEncoder = new TextEncoder()
// A leading U+FEFF is a part of the text: by default the decoder would take it for a byte order mark and drop it, so that
// a key would arrive as another one.
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

let scratch = new Uint8Array(4_096)
let view = new DataView(scratch.buffer)

const reserve = (bytes: number): void => {
  if (scratch.length >= bytes) return
  scratch = new Uint8Array(Math.max(bytes, scratch.length * 2))
  view = new DataView(scratch.buffer)
}

/** Writes UTF-8 at `at`; most keys are ASCII, for which a loop is faster than the encoder. Returns the bytes written. */
const writeText = (text: string, at: number): number => {
  if (text.length <= 48) {
    let index = 0
    for (; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) break
      scratch[at + index] = unit
    }
    if (index === text.length) return index
  }
  return textEncoder.encodeInto(text, scratch.subarray(at)).written
}

/** Names of namespaces repeat: one of the last few is compared byte by byte instead of decoded anew. */
const namesMax = 64
const names: Array<{ readonly bytes: Uint8Array; readonly text: string }> = []

const readName = (bytes: Uint8Array, from: number, length: number): string => {
  for (let n = 0; n < names.length; n++) {
    const known = names[n]
    if (known.bytes.length !== length) continue
    let index = 0
    while (index < length && known.bytes[index] === bytes[from + index]) index++
    if (index === length) return known.text
  }
  const text = readText(bytes, from, length)
  if (names.length >= namesMax) names.shift()
  names.push({ bytes: bytes.slice(from, from + length), text })
  return text
}

const readText = (bytes: Uint8Array, from: number, length: number): string => {
  if (length <= 24) {
    let text = ""
    let index = 0
    for (; index < length; index++) {
      const unit = bytes[from + index]
      if (unit > 0x7f) break
      text += String.fromCharCode(unit)
    }
    if (index === length) return text
  }
  return textDecoder.decode(bytes.subarray(from, from + length))
}

/** Encodes a write into the scratch buffer and returns a view of it, valid until the next call. */
export const encodeWrite = (operation: Write, sender: Stamp.MemberId): Uint8Array => {
  const value = operation._tag === "PUT" ? operation.value : undefined
  reserve(64 + 3 * operation.namespace.length + 3 * Key.keyBytesMax + (value === undefined ? 0 : value.length))
  const foreign = operation.writer !== sender
  const key = operation._tag === "CLEAR" ? undefined : operation.key
  const expiresAt = operation._tag === "PUT" ? operation.expiresAt : 0
  scratch[0] = Op.tags[operation._tag]
  scratch[1] = (typeof key === "number" ? flagNumberKey : 0) | (foreign ? flagWriter : 0) |
    (value === undefined ? 0 : flagValue) | (expiresAt === 0 ? 0 : flagExpiry)
  const nameBytes = writeText(operation.namespace, 3)
  scratch[2] = nameBytes
  let at = 3 + nameBytes
  scratch[at] = Math.floor(operation.clock / 0x1_0000_0000_0000)
  view.setUint16(at + 1, Math.floor(operation.clock / 0x1_0000_0000) & 0xffff)
  view.setUint32(at + 3, operation.clock >>> 0)
  at += 7
  if (foreign) {
    MemberId.write(operation.writer, scratch, at)
    at += 16
  }
  if (typeof key === "number") {
    view.setFloat64(at, key)
    at += 8
  } else if (key !== undefined) {
    const keyBytes = writeText(key, at + 2)
    view.setUint16(at, keyBytes)
    at += 2 + keyBytes
  }
  if (operation._tag === "PUT") {
    if (expiresAt !== 0) {
      view.setUint16(at, Math.floor(expiresAt / 0x1_0000_0000))
      view.setUint32(at + 2, expiresAt >>> 0)
      at += 6
    }
    view.setUint32(at, operation.crc)
    at += 4
    if (value !== undefined) {
      scratch.set(value, at)
      at += value.length
    }
  }
  return scratch.subarray(0, at)
}

/** The most bytes that a write's record needs beyond its value. */
export const writeOverheadBytesMax = 64 + 3 * Op.namespaceLengthMax + Key.keyBytesMax

const decodeWrite = (record: Uint8Array, sender: Stamp.MemberId): Write | undefined => {
  const tag = record[0]
  const flags = record[1]
  const nameBytes = record[2]
  let at = 3 + nameBytes
  if (flags > 15 || record.length < at + 7) return undefined
  const input = new DataView(record.buffer, record.byteOffset, record.byteLength)
  const namespace = readName(record, 3, nameBytes)
  if (namespace.length > Op.namespaceLengthMax) return undefined
  const high = record[at]
  if (high > 0x1f) return undefined
  const clock = high * 0x1_0000_0000_0000 + input.getUint16(at + 1) * 0x1_0000_0000 + input.getUint32(at + 3)
  at += 7
  let writer = sender
  if ((flags & flagWriter) !== 0) {
    if (record.length < at + 16) return undefined
    writer = MemberId.read(record, at)
    at += 16
  }
  if (tag === Op.tags.CLEAR) {
    return at === record.length && (flags & ~flagWriter) === 0
      ? { _tag: "CLEAR", namespace, clock, writer }
      : undefined
  }
  let key: Key.Key
  if ((flags & flagNumberKey) !== 0) {
    if (record.length < at + 8) return undefined
    key = input.getFloat64(at)
    at += 8
  } else {
    if (record.length < at + 2) return undefined
    const keyBytes = input.getUint16(at)
    at += 2
    if (keyBytes > Key.keyBytesMax || record.length < at + keyBytes) return undefined
    key = readText(record, at, keyBytes)
    at += keyBytes
  }
  if (key === "" || (typeof key === "number" && !Number.isFinite(key))) return undefined
  if (tag === Op.tags.DEL) {
    return at === record.length && (flags & (flagValue | flagExpiry)) === 0
      ? { _tag: "DEL", namespace, key, clock, writer }
      : undefined
  }
  let expiresAt = 0
  if ((flags & flagExpiry) !== 0) {
    if (record.length < at + 6) return undefined
    expiresAt = input.getUint16(at) * 0x1_0000_0000 + input.getUint32(at + 2)
    at += 6
  }
  if (record.length < at + 4) return undefined
  const crc = input.getUint32(at)
  at += 4
  if ((flags & flagValue) === 0) {
    return at === record.length
      ? { _tag: "PUT", namespace, key, clock, writer, expiresAt, crc, value: undefined }
      : undefined
  }
  return { _tag: "PUT", namespace, key, clock, writer, expiresAt, crc, value: record.subarray(at) }
}

interface Codec<A> {
  readonly encode: (value: A) => Uint8Array
  readonly decode: (bytes: Uint8Array) => A | undefined
}

/** The codec of one Schema: encoding gives bytes of its own, decoding of anything else than valid bytes `undefined`. */
const codec = <A, I>(schema: Schema.Codec<A, I>): Codec<A> => {
  const binary = SchemaBinary.toCodec(schema)
  const encode = Schema.encodeUnknownSync(binary)
  const decode = Schema.decodeUnknownExit(binary)
  return {
    encode: (value) => encode(value).slice(),
    decode: (bytes) => {
      try {
        const exit = decode(bytes)
        return Exit.isSuccess(exit) ? exit.value : undefined
      } catch {
        return undefined
      }
    }
  }
}

const nonceBytes = 16

/** The length of a CHALLENGE's record. */
export const challengeBytes = 1 + nonceBytes

const challenge: Codec<Op.Challenge> = {
  encode: ({ nonce }) => nonce,
  decode: (bytes) => bytes.length === nonceBytes ? { _tag: "CHALLENGE", nonce: bytes.slice() } : undefined
}

const controls: { readonly [Tag in Control["_tag"]]: Codec<Extract<Control, { readonly _tag: Tag }>> } = {
  ACK: codec(Op.Ack),
  NACK: codec(Op.Nack),
  PULSE: codec(Op.Pulse),
  DIGEST: codec(Op.Digest),
  LISTING: codec(Op.Listing),
  WANT: codec(Op.Want),
  JOIN: codec(Op.Join),
  WELCOME: codec(Op.Welcome),
  LEAVE: codec(Op.Leave),
  CHALLENGE: challenge,
  PROOF: codec(Op.Proof),
  METRICS: codec(Op.Metrics),
  CHECKSUM: codec(Op.Checksum),
  ERROR: codec(Op.ErrorReport),
  REPLY: codec(Op.Reply),
  PULL: codec(Op.Pull),
  RESET: codec(Op.Reset)
}
const tagOf = new Map<number, Operation["_tag"]>(
  Object.entries(Op.tags).map(([tag, number]) => [number, tag as Operation["_tag"]])
)

/** Encodes a control operation into bytes of its own. */
export const encodeControl = (operation: Control): Uint8Array => {
  const encoder = controls[operation._tag] as Codec<Control>
  const fields = encoder.encode(operation)
  const record = new Uint8Array(1 + fields.length)
  record[0] = Op.tags[operation._tag]
  record.set(fields, 1)
  return record
}

/** Whether a record is of a tag that there is in this version; it may be malformed all the same. */
export const isKnown = (record: Uint8Array): boolean => tagOf.has(record[0])

/** Whether a record is of one of the tags that strangers meet by. */
export const isHandshake = (record: Uint8Array): boolean =>
  record[0] === Op.tags.CHALLENGE || record[0] === Op.tags.PROOF

/** Decodes a record that `sender` sent. A `PUT`'s value is a view of the record. */
export const decode = (record: Uint8Array, sender: Stamp.MemberId): Operation | undefined => {
  if (record.length < 1) return undefined
  if (record[0] <= Op.tags.CLEAR) {
    if (record[0] === 0 || record.length < 3) return undefined
    try {
      return decodeWrite(record, sender)
    } catch {
      // Malformed UTF-8 is the one thing that the platform reports by throwing.
      return undefined
    }
  }
  const tag = tagOf.get(record[0])
  if (tag === undefined || tag === "PUT" || tag === "DEL" || tag === "CLEAR") return undefined
  return controls[tag].decode(record.subarray(1))
}

/** The codecs of the answers to requests. */
export const replies = {
  digest: codec(Op.DigestReply),
  listing: codec(Op.ListingReply),
  copies: codec(Op.CopiesReply),
  report: codec(Op.ReportReply)
}
