/**
 * Messages of a member that holds the key and wishes the others ill: well-formed where it must be to get in, and absurd
 * wherever a number, a length, a count, a depth or a time may stand.
 */
import { checksum } from "../../src/domain/Checksum.ts"
import type { Key } from "../../src/domain/Key.ts"
import type { Control, NamespaceSummary, Operation, Write } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as Varint from "../../src/domain/Varint.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import * as Loose from "../domain/support/Loose.ts"
import { type Contents, namespaces } from "./Capture.ts"
import type { Dice } from "./Dice.ts"
import * as Mutations from "./Mutations.ts"
import * as Values from "./Values.ts"

/** What it knows of those whom it attacks. */
export interface Scene {
  readonly dice: Dice
  readonly contents: Contents
  readonly self: Stamp.MemberId
  readonly others: ReadonlyArray<Stamp.MemberId>
  readonly nowMillis: () => number
  /** What the namespaces of the others announced, by name. */
  readonly summaries: ReadonlyMap<string, NamespaceSummary>
  /** Told of a record that is sent in parts; false when it must not be. */
  readonly willBeWhole: (record: Uint8Array) => boolean
}

const names = [...Object.values(namespaces), "closed", ""]

const keyOf = ({ dice }: Scene): Key =>
  dice.chance(0.8)
    ? `key-${dice.below(60)}`
    : dice.pick<Key>([0, -0, 0.5, -1e308, dice.magnitude(), "k".repeat(dice.between(1, 600)), "\ufeff", "__proto__"])

/** Also what cannot be a key. */
const anyKey = (scene: Scene): Key =>
  scene.dice.chance(0.998) ? keyOf(scene) : scene.dice.pick(["", "\ud800", "k".repeat(5_000)])

/** A stamp's clock: about now, long ago, or so far ahead that it must be refused. */
const clockOf = ({ dice, nowMillis }: Scene): number => {
  const now = Stamp.fromMillis(nowMillis())
  switch (dice.below(10)) {
    case 0:
      return dice.magnitude()
    case 1:
      return now + dice.below(3_600_000 * Stamp.ticksPerMilli)
    case 2:
      return dice.below(now)
    default:
      return Math.max(0, now - dice.below(2_000 * Stamp.ticksPerMilli))
  }
}

/** Mostly a line long past: one near to now makes everything go, after which little else is tried. */
const lineOf = (scene: Scene): number => {
  const { dice } = scene
  if (dice.chance(0.002)) return clockOf(scene)
  return dice.chance(0.5)
    ? 0
    : dice.pick([dice.below(1_000), 2 ** 53 - 1, Stamp.fromMillis(scene.nowMillis() + 60_000)])
}

const writerOf = ({ dice, others, self }: Scene): Stamp.MemberId =>
  dice.chance(0.6) ? self : dice.pick([...others, Stamp.collisionWriter, Stamp.zero.writer, "5".repeat(32)])

const valueOf = ({ contents, dice }: Scene): Uint8Array => {
  if (dice.chance(0.3)) return dice.pick(contents.values)
  return dice.chance(0.3) ? Mutations.mutant(dice, contents.values) : Values.value(dice)
}

export const write = (scene: Scene): Write => {
  const { dice } = scene
  const stamp = { clock: clockOf(scene), writer: writerOf(scene) }
  const namespace = dice.pick(names)
  const kind = dice.below(100)
  if (kind < 1) return { _tag: "CLEAR", namespace, clock: lineOf(scene), writer: stamp.writer }
  if (kind < 25) return { _tag: "DEL", namespace, key: keyOf(scene), ...stamp }
  const value = dice.chance(0.9) ? valueOf(scene) : undefined
  return {
    _tag: "PUT",
    namespace,
    key: keyOf(scene),
    ...stamp,
    expiresAt: dice.chance(0.7)
      ? 0
      : dice.chance(0.5)
      ? dice.magnitude() % 2 ** 48
      : scene.nowMillis() + dice.below(5_000),
    crc: value === undefined || dice.chance(0.1) ? dice.below(2 ** 32) : checksum(value),
    value
  }
}

const summary = (scene: Scene): NamespaceSummary => {
  const { dice } = scene
  const name = dice.chance(0.8) ? dice.pick(names) : `n${dice.below(10_000)}`
  const known = scene.summaries.get(name)
  return {
    name,
    // Right most of the time: a member whose options differ is not listened to any more.
    fingerprint: known !== undefined && dice.chance(0.995) ? known.fingerprint : dice.pick(["", "x".repeat(200)]),
    sizing: known !== undefined && dice.chance(0.9) ? known.sizing : "other",
    floor: lineOf(scene),
    forget: dice.magnitude(),
    caughtUp: dice.chance(0.7),
    quantum: dice.chance(0.8) ? Math.floor(scene.nowMillis() / 2_000) : dice.magnitude(),
    count: dice.magnitude(),
    hash: dice.pick(["", "0", "ffffffffffffffff", known?.hash ?? "1"])
  }
}

const summaries = (scene: Scene): ReadonlyArray<NamespaceSummary> =>
  Array.from({ length: scene.dice.pick([0, 1, 3, 12]) }, () => summary(scene))

const physical = ({ dice, nowMillis }: Scene): number =>
  dice.chance(0.8) ? nowMillis() + dice.between(-1_000, 1_000) : dice.magnitude()

/** Any control, as its Schema allows it. `highest` is that of the sender's stream. */
export const control = (scene: Scene, highest: number): Control => {
  const { dice } = scene
  const request = dice.chance(0.5) ? dice.between(1, 50) : Math.max(1, dice.magnitude())
  const namespace = dice.pick(names)
  const many = dice.magnitude()
  const keys = (): ReadonlyArray<Key> =>
    Array.from({ length: dice.pick([0, 1, 40, 1_024]) }, (_, index) => `key-${index % 70}`)
  switch (dice.below(18)) {
    case 0:
      return { _tag: "ACK", received: many, settled: dice.magnitude(), credit: dice.pick([1, 16, 2 ** 53 - 1]) }
    case 1: {
      const ranges = Array.from({ length: dice.pick([0, 1, 64]) }, () => ({
        from: Math.max(1, dice.magnitude()),
        to: Math.max(1, dice.magnitude())
      }))
      return { _tag: "NACK", ranges: dice.chance(0.2) ? [{ from: 1, to: 2 ** 53 - 1 }] : ranges }
    }
    case 2:
    case 3:
      return {
        _tag: "PULSE",
        lowest: dice.chance(0.9) ? 0 : many,
        // A number far ahead makes the receiver start at the end: seldom, so that streams go on.
        highest: dice.chance(0.997) ? highest + dice.below(4) : dice.chance(0.5) ? highest + dice.below(200_000) : many,
        physicalMillis: physical(scene),
        clock: lineOf(scene),
        ready: dice.chance(0.8),
        asks: dice.chance(0.3),
        floor: lineOf(scene),
        namespaces: summaries(scene)
      }
    case 4:
      return {
        _tag: "DIGEST",
        request,
        namespace,
        fingerprint: scene.summaries.get(namespace)?.fingerprint ?? "",
        joins: dice.chance(0.5)
      }
    case 5:
      return { _tag: "LISTING", request, namespace, bucket: dice.below(256) }
    case 6:
    case 7:
      return { _tag: "WANT", request, namespace, keys: keys() }
    case 8:
      return { _tag: "JOIN", physicalMillis: physical(scene) }
    case 9:
      return {
        _tag: "WELCOME",
        ready: dice.chance(0.5),
        members: many,
        floor: lineOf(scene),
        namespaces: summaries(scene)
      }
    case 10:
      return { _tag: "CHALLENGE", nonce: dice.chance(0.8) ? dice.bytes(16) : new Uint8Array(0) }
    case 11:
      return { _tag: "METRICS", request, namespace: dice.chance(0.5) ? undefined : namespace }
    case 12:
      return { _tag: "CHECKSUM", request, namespace: dice.chance(0.5) ? undefined : namespace, key: keyOf(scene) }
    case 13:
      return { _tag: "ERROR", reason: dice.pick(["clock", "version", "options"]), detail: "d".repeat(dice.below(900)) }
    case 14:
      return {
        _tag: "REPLY",
        request,
        total: many,
        offset: dice.magnitude(),
        crc: dice.below(2 ** 32),
        bytes: dice.bytes(20)
      }
    case 15:
      return { _tag: "PULL", request, offset: dice.magnitude(), bytes: Math.max(1, many) }
    case 16:
      // A farewell and a reset undo much: seldom.
      return dice.chance(0.02) ? { _tag: "LEAVE" } : { _tag: "PULL", request, offset: 0, bytes: 2 ** 53 - 1 }
    default:
      return dice.chance(0.02)
        ? { _tag: "RESET", request, namespace: namespace === "" ? undefined : namespace }
        : { _tag: "JOIN", physicalMillis: many }
  }
}

/** Encodes a write that may lean on what the encoder wrote before it. */
const leaning = (encoder: WriteCodec.Encoder, write: Write): Uint8Array => {
  const value = write._tag === "PUT" ? write.value : undefined
  const record = new Uint8Array(encoder.bytes(write._tag, write.namespace, write, value))
  encoder.write(write._tag, write.namespace, write, value, record, 0)
  return record
}

/** A record: well encoded, or damaged, or of a tag that there is not. */
export const record = (scene: Scene, highest: number, numbered: boolean, encoder: WriteCodec.Encoder): Uint8Array => {
  const { contents, dice } = scene
  const kind = dice.below(20)
  if (kind === 0) return Uint8Array.of(dice.between(0, 255), ...dice.bytes(dice.below(40)))
  if (kind < 3) return Mutations.mutant(dice, contents.records)
  const written = (numbered ? dice.chance(0.95) : dice.chance(0.05))
    ? leaning(encoder, write(scene))
    : OperationCodec.encodeControl(control(scene, highest))
  return kind < 6 ? Mutations.mutant(dice, [written]) : written
}

const varint = (value: number): Uint8Array => {
  const bytes = new Uint8Array(Varint.size(value))
  Varint.write(bytes, 0, value)
  return bytes
}

const crcBytes = (crc: number): Uint8Array =>
  Uint8Array.of(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255)

/** Parts: of records that never end, overlap, contradict each other, or are all of one byte. */
const parts = (scene: Scene): ReadonlyArray<Uint8Array> => {
  const { dice } = scene
  const written = WriteCodec.encode(write(scene), scene.self)
  const whole = dice.chance(0.5) && scene.willBeWhole(written) ? written : dice.bytes(dice.between(1, 500))
  const total = dice.chance(0.85) ? whole.length : dice.magnitude()
  const id = dice.chance(0.5) ? dice.below(2_000) : dice.magnitude()
  const size = dice.pick([1, 7, 100, whole.length])
  const made: Array<Uint8Array> = []
  const crc = dice.chance(0.9) ? checksum(whole) : dice.below(2 ** 32)
  for (let offset = 0; offset < whole.length && made.length < 60; offset += size) {
    if (dice.chance(0.03)) continue
    const bytes = whole.subarray(offset, offset + size)
    const at = dice.chance(0.995) ? offset : dice.magnitude()
    const length = dice.chance(0.999) ? bytes.length : dice.magnitude()
    made.push(
      Uint8Array.of(1, ...varint(id), ...varint(total), ...varint(at), ...crcBytes(crc), ...varint(length), ...bytes)
    )
  }
  return made
}

const bodyBytesMax = 1_400

/** The pieces of a body. */
export const pieces = (scene: Scene, highest: number, numbered: boolean): Uint8Array => {
  const { dice } = scene
  const list: Array<Uint8Array> = []
  const encoder = new WriteCodec.Encoder(scene.self)
  for (let count = dice.pick([1, 1, 2, 5, 40]); count > 0; count--) {
    if (dice.chance(0.15)) list.push(...parts(scene))
    else {
      const bytes = record(scene, highest, numbered, encoder)
      const length = dice.chance(0.998) ? bytes.length : dice.magnitude()
      list.push(Uint8Array.of(0, ...varint(length), ...bytes))
    }
  }
  const bytes = Buffer.concat(list)
  return bytes.length > bodyBytesMax && dice.chance(0.9) ? bytes.subarray(0, bodyBytesMax) : bytes
}

/** The answer to a request of somebody who takes this member for a donor. */
export const reply = (scene: Scene, request: Operation): Uint8Array | undefined => {
  const { dice } = scene
  const status = dice.chance(0.98) ? "ok" as const : dice.pick(["closed", "later", "options"] as const)
  const writers = [scene.self, ...scene.others]
  const writer = () => dice.chance(0.998) ? dice.below(writers.length) : dice.magnitude()
  const stamp = () => ({ key: anyKey(scene), clock: clockOf(scene), writer: writer() })
  const kind = () => dice.chance(0.7) ? 0 as const : dice.pick([1, 2, 3, 4] as const)
  const lines = { floor: lineOf(scene), forget: lineOf(scene) }
  switch (request._tag) {
    case "DIGEST":
      return OperationCodec.replies.digest.encode({
        status,
        quantum: dice.chance(0.9) ? Math.floor(scene.nowMillis() / 2_000) : dice.magnitude(),
        ...lines,
        count: dice.magnitude(),
        hashes: Array.from(
          { length: dice.chance(0.95) ? 512 : dice.below(600) },
          // An empty bucket is 0: what is not is listed.
          () => dice.chance(0.95) ? 0 : dice.below(2 ** 32)
        ),
        settled: writers.map((sender) => ({ sender, number: dice.magnitude() }))
      })
    case "LISTING":
      return Loose.listing({
        status,
        bucket: dice.chance(0.95) ? request.bucket : dice.below(256),
        ...lines,
        writers,
        items: Array.from(
          { length: dice.pick([0, 1, 20]) },
          () => ({ ...stamp(), kind: kind(), bytes: dice.chance(0.9) ? dice.below(500) : dice.magnitude() })
        )
      })
    case "WANT":
      return Loose.copies({
        status,
        writers,
        copies: request.keys.slice(0, 20).map((key) => {
          const value = dice.chance(0.9) ? valueOf(scene) : undefined
          return {
            ...stamp(),
            ...(dice.chance(0.9) ? { key, clock: Stamp.fromMillis(scene.nowMillis()) + dice.below(100) } : {}),
            kind: kind(),
            expiresAt: dice.chance(0.8) ? 0 : dice.magnitude(),
            crc: value === undefined ? 0 : checksum(value),
            value
          }
        })
      })
    case "METRICS":
    case "CHECKSUM":
      return OperationCodec.replies.report.encode({
        json: dice.pick(["", "{", "null", "[".repeat(900), "{\"a\":1e999}"])
      })
    default:
      return undefined
  }
}
