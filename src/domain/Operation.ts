/**
 * Operations: every message that members exchange is one of these events, and is decoded and validated before anything
 * looks at it. `docs/protocol.md` holds the registry of tags; a test keeps it equal to `tags`.
 *
 * On the wire an operation is its tag's number, one byte, and its fields. The three that carry writes (`PUT`, `DEL`,
 * `CLEAR`) are laid out by position in `OperationCodec.ts`, because they are most of all traffic, and so are the answers that
 * carry records in `ReplyCodec.ts`; the others are encoded by `SchemaBinary`.
 */
import * as Schema from "effect/Schema"
import * as KeyOf from "./Key.ts"

/** Numbers of the tags. A number is never used again for something else. */
export const tags = {
  PUT: 1,
  DEL: 2,
  CLEAR: 3,
  ACK: 4,
  NACK: 5,
  PULSE: 6,
  DIGEST: 7,
  LISTING: 8,
  WANT: 9,
  JOIN: 10,
  WELCOME: 11,
  LEAVE: 12,
  CHALLENGE: 13,
  PROOF: 14,
  METRICS: 15,
  CHECKSUM: 16,
  ERROR: 17,
  REPLY: 18,
  PULL: 19,
  RESET: 20
} as const

const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
const Unsigned32 = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))
const MemberId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/))
const Text = Schema.String.check(Schema.isMaxLength(1_024))
/** The longest name of a namespace, in UTF-16 units. */
export const namespaceLengthMax = 128
const Namespace = Schema.String.check(Schema.isMaxLength(namespaceLengthMax))
/** Only what can be a key: another would be held by all and be deleted by nobody. */
const Key = Schema.Union([Schema.String, Schema.Finite]).check(
  Schema.makeFilter((key) => KeyOf.problem(key) === undefined)
)
/** Keys that one WANT may ask for. */
export const wantKeysMax = 1_024
const Keys = Schema.Array(Key).check(Schema.isMaxLength(wantKeysMax))
const Nonce = Schema.Uint8Array.check(Schema.makeFilter((bytes) => bytes.length === 16 || bytes.length === 0))

/** A value was written. `value` is absent in mode 2, where only the news travels. `expiresAt`: Unix ms, 0 never. */
export const Put = Schema.TaggedStruct("PUT", {
  namespace: Namespace,
  key: Key,
  clock: Natural,
  writer: MemberId,
  expiresAt: Natural,
  crc: Unsigned32,
  /** Packed. */
  value: Schema.UndefinedOr(Schema.Union([Schema.String, Schema.Uint8Array]))
})
export type Put = typeof Put.Type

/** A key was deleted. */
export const Del = Schema.TaggedStruct("DEL", { namespace: Namespace, key: Key, clock: Natural, writer: MemberId })
export type Del = typeof Del.Type

/** Everything at or below `clock` is gone, in one namespace, or in all of them (`namespace` is empty). */
export const Clear = Schema.TaggedStruct("CLEAR", { namespace: Namespace, clock: Natural, writer: MemberId })
export type Clear = typeof Clear.Type

/**
 * To a sender: all its numbers up to `received` arrived or were given up, all up to `settled` are folded, superseded or
 * repaired; it may have `credit` datagrams under way.
 */
export const Ack = Schema.TaggedStruct("ACK", { received: Natural, settled: Natural, credit: Positive })
export type Ack = typeof Ack.Type

/** To a sender: these numbers are missing here. */
export const Nack = Schema.TaggedStruct("NACK", {
  ranges: Schema.Array(Schema.Struct({ from: Positive, to: Positive })).check(Schema.isMaxLength(64))
})
export type Nack = typeof Nack.Type

/** What a member tells of one of its namespaces. `differs`-able fields are zero outside mode 1 or before it caught up. */
export const NamespaceSummary = Schema.Struct({
  name: Namespace,
  /** Mode, collision and eviction: must be equal in the cluster. */
  fingerprint: Text,
  /** Sizes and ttl: may differ, with a warning. */
  sizing: Text,
  floor: Natural,
  forget: Natural,
  caughtUp: Schema.Boolean,
  quantum: Natural,
  count: Natural,
  hash: Schema.String.check(Schema.isMaxLength(16))
})
export type NamespaceSummary = typeof NamespaceSummary.Type
/** As many as one message may tell of: a receiver takes about 20 µs to decode one, and 200 such messages a second come in a hurry. */
export const summariesMax = 64
const Summaries = Schema.Array(NamespaceSummary).check(Schema.isMaxLength(summariesMax))

/** The heartbeat, and the announcement of the last number after data. `asks`: acknowledge at once. */
export const Pulse = Schema.TaggedStruct("PULSE", {
  lowest: Natural,
  highest: Natural,
  physicalMillis: Natural,
  /** The greatest clock value that the sender gave out or received: who was not there yet writes above it. */
  clock: Natural,
  ready: Schema.Boolean,
  asks: Schema.Boolean,
  /** The floor of clears of all namespaces. */
  floor: Natural,
  namespaces: Summaries
})
export type Pulse = typeof Pulse.Type

/** Asks for the bucket hashes of a namespace; answered by `DigestReply`. */
export const Digest = Schema.TaggedStruct("DIGEST", {
  request: Positive,
  namespace: Namespace,
  fingerprint: Text,
  /** Whether the asker joins: it needs to know what the donor may have missed. */
  joins: Schema.Boolean
})
/** Asks for all records of a bucket; answered by `ListingReply`. */
export const Listing = Schema.TaggedStruct("LISTING", {
  request: Positive,
  namespace: Namespace,
  bucket: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
})
/** Asks for copies of records; answered by `CopiesReply`. */
export const Want = Schema.TaggedStruct("WANT", { request: Positive, namespace: Namespace, keys: Keys })

/** A member starts and looks for others. */
export const Join = Schema.TaggedStruct("JOIN", { physicalMillis: Natural })
/** To a joiner: that the sender can be a donor, how many others than the sender there are, and what is open there. */
export const Welcome = Schema.TaggedStruct("WELCOME", {
  ready: Schema.Boolean,
  members: Natural,
  floor: Natural,
  namespaces: Summaries
})
/** The sender goes, and is removed at once. */
export const Leave = Schema.TaggedStruct("LEAVE", {})

/** Prove that you are alive and hold the key. */
export const Challenge = Schema.TaggedStruct("CHALLENGE", {
  nonce: Schema.Uint8Array.check(Schema.makeFilter((bytes) => bytes.length === 16))
})
export type Challenge = typeof Challenge.Type

/**
 * The answer: the challenge echoed and, when the sender does not know the receiver yet, one of its own; the counters that
 * the sender's next datagrams exceed; the first number of its stream that the receiver will hear.
 */
export const Proof = Schema.TaggedStruct("PROOF", {
  echo: Nonce,
  nonce: Nonce,
  multicast: Natural,
  unicast: Natural,
  first: Positive,
  ready: Schema.Boolean,
  host: Text,
  pid: Natural,
  /** Of a member in a worker thread; the main thread leaves it out. */
  thread: Schema.optionalKey(Positive),
  version: Text,
  physicalMillis: Natural,
  /** As in `PULSE`. */
  clock: Natural
})
export type Proof = typeof Proof.Type

/** Asks for a member's metrics, of all namespaces or one. */
export const Metrics = Schema.TaggedStruct("METRICS", { request: Positive, namespace: Schema.UndefinedOr(Namespace) })
/** Asks for a member's checksum, of all namespaces, one, or one key. */
export const Checksum = Schema.TaggedStruct("CHECKSUM", {
  request: Positive,
  namespace: Schema.UndefinedOr(Namespace),
  key: Schema.UndefinedOr(Key)
})
/** Asks one member to clear itself: `clear({ node })`. */
export const Reset = Schema.TaggedStruct("RESET", { request: Positive, namespace: Schema.UndefinedOr(Namespace) })

/** Tells a member why its messages are refused, at most once a second. */
export const ErrorReport = Schema.TaggedStruct("ERROR", {
  reason: Schema.Literals(["clock", "version", "options"]),
  detail: Text
})
export type ErrorReport = typeof ErrorReport.Type

/** A piece of the answer to a request. `total` 0 with an empty piece says that the answer is not kept any more. */
export const Reply = Schema.TaggedStruct("REPLY", {
  request: Positive,
  total: Natural,
  offset: Natural,
  crc: Unsigned32,
  bytes: Schema.Uint8Array
})
export type Reply = typeof Reply.Type
/** Asks for a range of bytes of the answer to an earlier request. */
export const Pull = Schema.TaggedStruct("PULL", { request: Positive, offset: Natural, bytes: Positive })
export type PullRequest = typeof Pull.Type

/** Any message between members. */
export const Operation = Schema.Union([
  Put,
  Del,
  Clear,
  Ack,
  Nack,
  Pulse,
  Digest,
  Listing,
  Want,
  Join,
  Welcome,
  Leave,
  Challenge,
  Proof,
  Metrics,
  Checksum,
  ErrorReport,
  Reply,
  Pull,
  Reset
])
export type Operation = typeof Operation.Type

/** The operations that a stream carries. */
export type Write = Put | Del | Clear
/** The operations that travel unnumbered. */
export type Control = Exclude<Operation, Write>
/** The controls that are answered with `REPLY` pieces. */
export type Request = Extract<Control, { readonly request: number }> extends infer R
  ? R extends { readonly _tag: "REPLY" | "PULL" } ? never : R
  : never

/** Why a donor has no answer: not open there, not caught up yet, or open with other options. */
const Status = Schema.Literals(["ok", "closed", "later", "options"])
export type Status = typeof Status.Type

/** Bucket hashes of a namespace. */
export const DigestReply = Schema.Struct({
  status: Status,
  quantum: Natural,
  floor: Natural,
  forget: Natural,
  count: Natural,
  hashes: Schema.Array(Unsigned32),
  /**
   * For who joins: up to which number of each sender, itself among them, the donor has folded everything. With `later`: up to
   * which number of itself nothing is to be had.
   */
  settled: Schema.Array(Schema.Struct({ sender: MemberId, number: Natural }))
})
/** Metrics and checksums answer with JSON-like values: they are for people. */
export const ReportReply = Schema.Struct({ json: Schema.String })
