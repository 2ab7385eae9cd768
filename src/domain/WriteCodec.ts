/**
 * The binary form of writes, which are nearly all traffic: by position, big-endian. A record is one write. In the body of a
 * datagram it may lean on the write before it, whose namespace it then has, and from whose clock it tells the difference; and it
 * may live as long as the last PUT of the body that told its expiry. Of small values that saves a quarter of the bytes.
 *
 * ```
 *   0        tag: PUT, DEL, CLEAR
 *   1        flags: 1 key is a number · 2 writer follows (absent: the sender wrote it) · 4 value follows · 8 expiry follows ·
 *            16 leans · 32 (PUT, without 8) has the lifetime of the last PUT that told its expiry
 *   2  u8    n, bytes of the namespace's name      n bytes, UTF-8                          unless it leans
 *      u56   clock                                                                         unless it leans
 *      …     clock less the clock of the write before, below 2^31 either way, ZigZag varint   (flag 16)
 *      16    writer                                (flag 2)
 *      u16   m, bytes of the key  m bytes, UTF-8 | f64 (flag 1)          PUT and DEL only
 *      u48   expiry, Unix ms                       (flag 8)              PUT only
 *      u32   crc of the value                                            PUT only
 *      …     value, to the end of the record       (flag 4)              PUT only
 * ```
 */
import * as Fields from "./Fields.ts"
import * as Key from "./Key.ts"
import * as MemberId from "./MemberId.ts"
import type { Write } from "./Operation.ts"
import * as Op from "./Operation.ts"
import * as Packed from "./Packed.ts"
import * as Stamp from "./Stamp.ts"
import * as Varint from "./Varint.ts"

const flagNumberKey = 1
const flagWriter = 2
const flagValue = 4
const flagExpiry = 8
const flagLeans = 16
const flagLasts = 32

/** Tag, flags, the length of the name, clock. */
const headBytes = 10
/** Clocks that differ by so much, nearly nine minutes of physical time, do not lean on each other. */
const differenceMax = 2 ** 31

/** What the next write of a body may lean on. Each body begins with a new one, so that it can be read without any other. */
export class Preceding {
  /** None: nothing to lean on. */
  namespace: string | undefined = undefined
  clock = 0
  /** From the physical time of the clock until it expires, of the last PUT that told it. Not a number: nothing to lean on. */
  lifetimeMillis = NaN

  forget(): void {
    this.namespace = undefined
    this.lifetimeMillis = NaN
  }
}

/** ZigZag, as in Protocol Buffers: small numbers of either sign become small ones without. */
const zigZag = (value: number): number => value < 0 ? -2 * value - 1 : 2 * value
const unZigZag = (value: number): number => value % 2 === 0 ? value / 2 : -(value + 1) / 2

/** What a write tells: an operation, or the record that is held of a key, so that nothing needs to be made of it. */
export interface Written {
  readonly key?: Key.Key | undefined
  readonly clock: number
  readonly writer: Stamp.MemberId
  readonly expiresAt?: number | undefined
  readonly crc?: number | undefined
}

/** Encodes the writes of one sender, body after body. */
export class Encoder {
  readonly #sender: Stamp.MemberId
  readonly #preceding = new Preceding()

  constructor(sender: Stamp.MemberId) {
    this.#sender = sender
  }

  /** The next write begins a body. */
  startBody(): void {
    this.#preceding.forget()
  }

  #leans(namespace: string, clock: number): boolean {
    const { clock: before, namespace: name } = this.#preceding
    return name === namespace && Math.abs(clock - before) < differenceMax
  }

  #lasts(clock: number, expiresAt: number): boolean {
    return expiresAt - Stamp.toMillis(clock) === this.#preceding.lifetimeMillis
  }

  /** The bytes that the record of a write takes, if it comes next. `value` is that of a `PUT`, if it travels. */
  bytes(tag: Write["_tag"], namespace: string, written: Written, value: Packed.Packed | undefined): number {
    const { clock, expiresAt = 0, key } = written
    const head = this.#leans(namespace, clock)
      ? 2 + Varint.size(zigZag(clock - this.#preceding.clock))
      : headBytes + Key.bytes(namespace)
    const bytes = head + (written.writer === this.#sender ? 0 : 16)
    if (tag === "CLEAR" || key === undefined) return bytes
    const keyed = bytes + (typeof key === "string" ? 2 : 0) + Key.bytes(key)
    if (tag === "DEL") return keyed
    return keyed + (expiresAt === 0 || this.#lasts(clock, expiresAt) ? 4 : 10) +
      (value === undefined ? 0 : value.length)
  }

  /** Writes the record of a write at `start`, where there must be room for `bytes` of it. */
  write(
    tag: Write["_tag"],
    namespace: string,
    written: Written,
    value: Packed.Packed | undefined,
    target: Uint8Array,
    start: number
  ): void {
    const preceding = this.#preceding
    const { clock, writer } = written
    const foreign = writer !== this.#sender
    const key = tag === "CLEAR" ? undefined : written.key
    const expiresAt = tag === "PUT" ? written.expiresAt ?? 0 : 0
    const leans = this.#leans(namespace, clock)
    const lasts = expiresAt !== 0 && this.#lasts(clock, expiresAt)
    target[start] = Op.tags[tag]
    target[start + 1] = (typeof key === "number" ? flagNumberKey : 0) | (foreign ? flagWriter : 0) |
      (value === undefined ? 0 : flagValue) | (leans ? flagLeans : 0) |
      (expiresAt === 0 ? 0 : lasts ? flagLasts : flagExpiry)
    let at = start + 2
    if (leans) at = Varint.write(target, at, zigZag(clock - preceding.clock))
    else {
      const nameBytes = Key.bytes(namespace)
      target[at] = nameBytes
      at = Fields.writeClock(clock, target, Fields.writeText(namespace, nameBytes, target, at + 1))
      preceding.namespace = namespace
    }
    preceding.clock = clock
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
    if (expiresAt !== 0 && !lasts) {
      at = Fields.write48(expiresAt, target, at)
      preceding.lifetimeMillis = expiresAt - Stamp.toMillis(clock)
    }
    at = Fields.write32(written.crc ?? 0, target, at)
    if (value !== undefined) Packed.write(value, target, at)
  }
}

/** The most bytes that a write's record needs beyond its value. */
export const overheadBytesMax = 64 + 3 * Op.namespaceLengthMax + Key.keyBytesMax

/** Encodes a write that leans on nothing into bytes of its own. */
export const encode = (write: Write, sender: Stamp.MemberId): Uint8Array => {
  const encoder = new Encoder(sender)
  const value = write._tag === "PUT" ? write.value : undefined
  const record = new Uint8Array(encoder.bytes(write._tag, write.namespace, write, value))
  encoder.write(write._tag, write.namespace, write, value, record, 0)
  return record
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
  const text = Fields.readText(bytes, from, length)
  if (names.length >= namesMax) names.shift()
  names.push({ bytes: Uint8Array.from(bytes.subarray(from, from + length)), text })
  return text
}

/**
 * Reads the write from `from` to `to`, which begins with one of the tags. What is none is `undefined`, or throws for malformed
 * UTF-8; what follows it in its body has then nothing to lean on.
 */
export const decode = (
  bytes: Uint8Array,
  sender: Stamp.MemberId,
  from: number,
  to: number,
  preceding: Preceding
): Write | undefined => {
  const { clock: before, lifetimeMillis, namespace: same } = preceding
  preceding.forget()
  if (to - from < 3) return undefined
  const tag = bytes[from]
  const flags = bytes[from + 1]
  if (flags > 63) return undefined
  let at = from + 2
  let namespace: string
  let clock: number
  if ((flags & flagLeans) !== 0) {
    if (same === undefined) return undefined
    const reader = new Varint.Reader(bytes, at)
    clock = before + unZigZag(reader.next())
    at = reader.at
    if (reader.failed || at > to || Math.abs(clock - before) >= differenceMax || clock < 0) return undefined
    namespace = same
  } else {
    const nameBytes = bytes[at]
    at += 1 + nameBytes
    if (to < at + Fields.clockBytes) return undefined
    namespace = readName(bytes, from + 3, nameBytes)
    if (namespace.length > Op.namespaceLengthMax) return undefined
    clock = Fields.readClock(bytes, at)
    at += Fields.clockBytes
  }
  if (clock > Number.MAX_SAFE_INTEGER) return undefined
  let writer = sender
  if ((flags & flagWriter) !== 0) {
    if (to < at + 16) return undefined
    writer = MemberId.read(bytes, at)
    at += 16
  }
  let key: Key.Key | undefined
  if (tag !== Op.tags.CLEAR) {
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
  }
  let lasts = lifetimeMillis
  let write: Write
  if (key === undefined || tag === Op.tags.DEL) {
    const others = key === undefined ? ~(flagWriter | flagLeans) : flagValue | flagExpiry | flagLasts
    if (at !== to || (flags & others) !== 0) return undefined
    write = key === undefined
      ? { _tag: "CLEAR", namespace, clock, writer }
      : { _tag: "DEL", namespace, key, clock, writer }
  } else {
    let expiresAt = 0
    if ((flags & flagLasts) !== 0) {
      if (Number.isNaN(lasts) || (flags & flagExpiry) !== 0) return undefined
      expiresAt = Stamp.toMillis(clock) + lasts
      if (expiresAt <= 0 || expiresAt > expiryMax) return undefined
    } else if ((flags & flagExpiry) !== 0) {
      if (to < at + 6) return undefined
      expiresAt = Fields.read48(bytes, at)
      lasts = expiresAt - Stamp.toMillis(clock)
      at += 6
    }
    if (to < at + 4) return undefined
    const crc = Fields.read32(bytes, at)
    at += 4
    const hasValue = (flags & flagValue) !== 0
    if (!hasValue && at !== to) return undefined
    const value = hasValue ? Packed.hold(bytes, at, to) : undefined
    write = { _tag: "PUT", namespace, key, clock, writer, expiresAt, crc, value }
  }
  preceding.namespace = namespace
  preceding.clock = clock
  preceding.lifetimeMillis = lasts
  return write
}

/** The greatest that the field of an expiry holds. */
const expiryMax = 2 ** 48 - 1
