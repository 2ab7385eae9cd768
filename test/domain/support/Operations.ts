/** An operation of every tag, at random and, for fixtures, as fixed examples. */
import type { Operation } from "../../../src/domain/Operation.ts"
import * as Packed from "../../../src/domain/Packed.ts"

const id = (letter: string): string => letter.repeat(32)

const summary = (name: string) => ({
  name,
  fingerprint: "mode=1 collision=tie eviction=updated",
  sizing: "max=256 size=8388608 ttl=3600000",
  floor: 4_096,
  forget: 8_192,
  caughtUp: true,
  quantum: 900_000_000,
  count: 12,
  hash: "00ff00ff12345678"
})

/** One of each, and more where the form has branches. The writer of all is "a". */
export const examples: { readonly [name: string]: Operation } = {
  "PUT": {
    _tag: "PUT",
    namespace: "users",
    key: "42",
    clock: 163_840_001_765_378,
    writer: id("a"),
    expiresAt: 1_900_000_000_123,
    crc: 0xdead_beef,
    value: "\u00a3Ada"
  },
  "PUT.invalidation": {
    _tag: "PUT",
    namespace: "n",
    key: -1.5,
    clock: 1,
    writer: id("b"),
    expiresAt: 0,
    crc: 0,
    value: undefined
  },
  "DEL": { _tag: "DEL", namespace: "users", key: "ключ 🔑", clock: Number.MAX_SAFE_INTEGER, writer: id("a") },
  "CLEAR": { _tag: "CLEAR", namespace: "", clock: 4_097, writer: id("f") },
  "ACK": { _tag: "ACK", received: 70_000, settled: 69_999, credit: 92 },
  "NACK": { _tag: "NACK", ranges: [{ from: 1, to: 1 }, { from: 5, to: 300 }] },
  "PULSE": {
    _tag: "PULSE",
    lowest: 1,
    highest: 1_000,
    physicalMillis: 1_775_689_600_000,
    clock: 163_277_209_600_001,
    ready: true,
    asks: false,
    floor: 0,
    namespaces: [summary("users"), summary("sessions")]
  },
  "DIGEST": { _tag: "DIGEST", request: 7, namespace: "users", fingerprint: "mode=1", joins: true },
  "LISTING": { _tag: "LISTING", request: 8, namespace: "users", bucket: 255 },
  "WANT": { _tag: "WANT", request: 9, namespace: "users", keys: ["a", 1, "b"] },
  "JOIN": { _tag: "JOIN", physicalMillis: 1_775_689_600_000 },
  "WELCOME": { _tag: "WELCOME", ready: true, members: 3, floor: 1, namespaces: [summary("users")] },
  "LEAVE": { _tag: "LEAVE" },
  "CHALLENGE": { _tag: "CHALLENGE", nonce: new Uint8Array(16).fill(7) },
  "PROOF": {
    _tag: "PROOF",
    echo: new Uint8Array(16).fill(7),
    nonce: new Uint8Array(0),
    multicast: 11,
    unicast: 12,
    first: 13,
    ready: false,
    host: "host.example",
    pid: 4_242,
    version: "0.1.0",
    physicalMillis: 1_775_689_600_000,
    clock: 163_277_209_600_001
  },
  "METRICS": { _tag: "METRICS", request: 1, namespace: undefined },
  "CHECKSUM": { _tag: "CHECKSUM", request: 2, namespace: "users", key: 42 },
  "ERROR": { _tag: "ERROR", reason: "clock", detail: "600 ms ahead" },
  "REPLY": { _tag: "REPLY", request: 3, total: 10, offset: 4, crc: 0x1234_5678, bytes: Uint8Array.of(1, 2, 3) },
  "PULL": { _tag: "PULL", request: 3, offset: 7, bytes: 3 },
  "RESET": { _tag: "RESET", request: 4, namespace: "users" }
}

/** A random operation, like one of the examples. */
export const random = (below: (bound: number) => number): Operation => {
  const natural = (): number => [below(3), below(70_000), Number.MAX_SAFE_INTEGER - below(5), 2 ** below(53)][below(4)]
  const positive = (): number => Math.max(1, natural())
  const text = (most: number): string =>
    Array.from({ length: below(most + 1) }, () => ["a", "Z", "0", "é", "漢", "🔑", "\u0000"][below(7)]).join("")
  const packed = (most: number): Packed.Packed => {
    const all = bytes(most)
    return Packed.copy(all, 0, all.length)
  }
  const bytes = (most: number): Uint8Array => Uint8Array.from({ length: below(most + 1) }, () => below(256))
  const writer = Array.from({ length: 32 }, () => below(16).toString(16)).join("")
  const key = (): string | number => below(3) === 0 ? [0, -1.5, 1e300, below(1_000)][below(4)] : `k${text(20)}`
  const namespace = `n${text(20)}`
  const namespaces = Array.from(
    { length: below(4) },
    () => ({ ...summary(text(10)), floor: natural(), count: natural() })
  )
  const maybe = <A>(value: A): A | undefined => below(2) === 0 ? undefined : value
  const all: ReadonlyArray<Operation> = [
    {
      _tag: "PUT",
      namespace,
      key: key(),
      clock: natural(),
      writer,
      expiresAt: below(2) * below(2 ** 40),
      crc: below(2 ** 32),
      value: maybe(packed(below(10) === 0 ? 3_000 : 300))
    },
    { _tag: "DEL", namespace, key: key(), clock: natural(), writer },
    { _tag: "CLEAR", namespace: below(2) === 0 ? "" : namespace, clock: natural(), writer },
    { _tag: "ACK", received: natural(), settled: natural(), credit: positive() },
    { _tag: "NACK", ranges: Array.from({ length: below(65) }, () => ({ from: positive(), to: positive() })) },
    {
      _tag: "PULSE",
      lowest: natural(),
      highest: natural(),
      physicalMillis: natural(),
      clock: natural(),
      ready: below(2) === 0,
      asks: below(2) === 0,
      floor: natural(),
      namespaces
    },
    { _tag: "DIGEST", request: positive(), namespace, fingerprint: text(50), joins: below(2) === 1 },
    { _tag: "LISTING", request: positive(), namespace, bucket: below(256) },
    { _tag: "WANT", request: positive(), namespace, keys: Array.from({ length: below(20) }, key) },
    { _tag: "JOIN", physicalMillis: natural() },
    { _tag: "WELCOME", ready: below(2) === 0, members: below(100), floor: natural(), namespaces },
    { _tag: "LEAVE" },
    { _tag: "CHALLENGE", nonce: Uint8Array.from({ length: 16 }, () => below(256)) },
    {
      _tag: "PROOF",
      echo: Uint8Array.from({ length: 16 }, () => below(256)),
      nonce: new Uint8Array(16 * below(2)),
      multicast: natural(),
      unicast: natural(),
      first: positive(),
      ready: below(2) === 0,
      host: text(30),
      pid: natural(),
      ...(below(2) === 0 ? {} : { thread: positive() }),
      version: text(10),
      physicalMillis: natural(),
      clock: natural()
    },
    { _tag: "METRICS", request: positive(), namespace: maybe(namespace) },
    { _tag: "CHECKSUM", request: positive(), namespace: maybe(namespace), key: maybe(key()) },
    { _tag: "ERROR", reason: (["clock", "version", "options"] as const)[below(3)], detail: text(40) },
    {
      _tag: "REPLY",
      request: positive(),
      total: natural(),
      offset: natural(),
      crc: below(2 ** 32),
      bytes: bytes(200)
    },
    { _tag: "PULL", request: positive(), offset: natural(), bytes: positive() },
    { _tag: "RESET", request: positive(), namespace: maybe(namespace) }
  ]
  return all[below(all.length)]
}
