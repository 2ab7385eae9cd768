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
import * as Fields from "./Fields.ts"
import * as Key from "./Key.ts"
import * as MemberId from "./MemberId.ts"
import type { Control, Operation, Write } from "./Operation.ts"
import * as Op from "./Operation.ts"
import * as Packed from "./Packed.ts"
import type { Codec } from "./ReplyCodec.ts"
import * as ReplyCodec from "./ReplyCodec.ts"
import type * as Stamp from "./Stamp.ts"

const flagNumberKey = 1
const flagWriter = 2
const flagValue = 4
const flagExpiry = 8

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
  const text = Fields.readText(bytes, from, length)
  if (names.length >= namesMax) names.shift()
  names.push({ bytes: Uint8Array.from(bytes.subarray(from, from + length)), text })
  return text
}

/** What a write tells: an operation, or the record that is held of a key, so that nothing needs to be made of it. */
interface Written {
  readonly key?: Key.Key | undefined
  readonly clock: number
  readonly writer: Stamp.MemberId
  readonly expiresAt?: number | undefined
  readonly crc?: number | undefined
}

/** The bytes that the record of a write takes. `value` is that of a `PUT`, if it travels. */
export const writeBytes = (
  tag: Write["_tag"],
  namespace: string,
  written: Written,
  value: Packed.Packed | undefined,
  sender: Stamp.MemberId
): number => {
  const bytes = 10 + Key.bytes(namespace) + (written.writer === sender ? 0 : 16)
  const { key } = written
  if (tag === "CLEAR" || key === undefined) return bytes
  const keyed = bytes + (typeof key === "string" ? 2 : 0) + Key.bytes(key)
  return tag === "DEL" ? keyed : keyed + (written.expiresAt === 0 ? 4 : 10) + (value === undefined ? 0 : value.length)
}

/** Writes the record of a write at `start`, where there must be room for `writeBytes` of it. */
export const writeInto = (
  tag: Write["_tag"],
  namespace: string,
  written: Written,
  value: Packed.Packed | undefined,
  sender: Stamp.MemberId,
  target: Uint8Array,
  start: number
): void => {
  const { clock, writer } = written
  const foreign = writer !== sender
  const key = tag === "CLEAR" ? undefined : written.key
  const expiresAt = tag === "PUT" ? written.expiresAt ?? 0 : 0
  const nameBytes = Key.bytes(namespace)
  target[start] = Op.tags[tag]
  target[start + 1] = (typeof key === "number" ? flagNumberKey : 0) | (foreign ? flagWriter : 0) |
    (value === undefined ? 0 : flagValue) | (expiresAt === 0 ? 0 : flagExpiry)
  target[start + 2] = nameBytes
  let at = Fields.writeText(namespace, nameBytes, target, start + 3)
  at = Fields.writeClock(clock, target, at)
  if (foreign) {
    MemberId.write(writer, target, at)
    at += 16
  }
  if (typeof key === "number") at = Fields.writeFloat(key, target, at)
  else if (key !== undefined) {
    const keyBytes = Key.bytes(key)
    at = Fields.writeText(key, keyBytes, target, Fields.write16(keyBytes, target, at))
  }
  if (tag !== "PUT") return
  if (expiresAt !== 0) {
    at = Fields.write48(expiresAt, target, at)
  }
  at = Fields.write32(written.crc ?? 0, target, at)
  if (value !== undefined) Packed.write(value, target, at)
}

/** Encodes a write into bytes of its own. */
export const encodeWrite = (operation: Write, sender: Stamp.MemberId): Uint8Array => {
  const value = operation._tag === "PUT" ? operation.value : undefined
  return encodeWritten(operation._tag, operation.namespace, operation, value, sender)
}

/** As `writeInto`, into bytes of its own. */
export const encodeWritten = (
  tag: Write["_tag"],
  namespace: string,
  written: Written,
  value: Packed.Packed | undefined,
  sender: Stamp.MemberId
): Uint8Array => {
  const record = new Uint8Array(writeBytes(tag, namespace, written, value, sender))
  writeInto(tag, namespace, written, value, sender, record, 0)
  return record
}

/** The most bytes that a write's record needs beyond its value. */
export const writeOverheadBytesMax = 64 + 3 * Op.namespaceLengthMax + Key.keyBytesMax

/** Reads a write from `from` to `to`. */
const decodeWrite = (bytes: Uint8Array, from: number, to: number, sender: Stamp.MemberId): Write | undefined => {
  const tag = bytes[from]
  const flags = bytes[from + 1]
  const nameBytes = bytes[from + 2]
  let at = from + 3 + nameBytes
  if (flags > 15 || to < at + 7) return undefined
  const namespace = readName(bytes, from + 3, nameBytes)
  if (namespace.length > Op.namespaceLengthMax) return undefined
  const clock = Fields.readClock(bytes, at)
  if (clock > Number.MAX_SAFE_INTEGER) return undefined
  at += 7
  let writer = sender
  if ((flags & flagWriter) !== 0) {
    if (to < at + 16) return undefined
    writer = MemberId.read(bytes, at)
    at += 16
  }
  if (tag === Op.tags.CLEAR) {
    return at === to && (flags & ~flagWriter) === 0 ? { _tag: "CLEAR", namespace, clock, writer } : undefined
  }
  let key: Key.Key
  if ((flags & flagNumberKey) !== 0) {
    if (to < at + 8) return undefined
    key = Fields.readFloat(bytes, at)
    at += 8
  } else {
    if (to < at + 2) return undefined
    const keyBytes = Fields.read16(bytes, at)
    at += 2
    if (keyBytes > Key.keyBytesMax || to < at + keyBytes) return undefined
    key = Fields.readText(bytes, at, keyBytes)
    at += keyBytes
  }
  if (key === "" || (typeof key === "number" && !Number.isFinite(key))) return undefined
  if (tag === Op.tags.DEL) {
    return at === to && (flags & (flagValue | flagExpiry)) === 0
      ? { _tag: "DEL", namespace, key, clock, writer }
      : undefined
  }
  let expiresAt = 0
  if ((flags & flagExpiry) !== 0) {
    if (to < at + 6) return undefined
    expiresAt = Fields.read48(bytes, at)
    at += 6
  }
  if (to < at + 4) return undefined
  const crc = Fields.read32(bytes, at)
  at += 4
  if ((flags & flagValue) === 0) {
    return at === to ? { _tag: "PUT", namespace, key, clock, writer, expiresAt, crc, value: undefined } : undefined
  }
  return { _tag: "PUT", namespace, key, clock, writer, expiresAt, crc, value: Packed.hold(bytes, at, to) }
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
  decode: (bytes) => bytes.length === nonceBytes ? { _tag: "CHALLENGE", nonce: Uint8Array.from(bytes) } : undefined
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

/** Whether the record that begins at `from` is of a tag that there is in this version; it may be malformed all the same. */
export const isKnown = (bytes: Uint8Array, from = 0): boolean => tagOf.has(bytes[from])

/** Whether the record that begins at `from` is of one of the tags that strangers meet by. */
export const isHandshake = (bytes: Uint8Array, from = 0): boolean =>
  bytes[from] === Op.tags.CHALLENGE || bytes[from] === Op.tags.PROOF

/** Decodes the record from `from` to `to`, which `sender` sent. */
export const decode = (
  bytes: Uint8Array,
  sender: Stamp.MemberId,
  from = 0,
  to = bytes.length
): Operation | undefined => {
  if (to - from < 1) return undefined
  const first = bytes[from]
  if (first <= Op.tags.CLEAR) {
    if (first === 0 || to - from < 3) return undefined
    try {
      return decodeWrite(bytes, from, to, sender)
    } catch {
      // Malformed UTF-8 is the one thing that the platform reports by throwing.
      return undefined
    }
  }
  const tag = tagOf.get(first)
  if (tag === undefined || tag === "PUT" || tag === "DEL" || tag === "CLEAR") return undefined
  return controls[tag].decode(bytes.subarray(from + 1, to))
}

/** The codecs of the answers to requests. */
export const replies = {
  digest: codec(Op.DigestReply),
  listing: ReplyCodec.listing,
  copies: ReplyCodec.copies,
  report: codec(Op.ReportReply)
}
