/**
 * What the stress test and its members say to each other, as JSON over the channel of `fork`. (Effect's own workers would replace
 * a process that died by a new one, and here its death is the finding.)
 */
import * as Schema from "effect/Schema"
import { Opening, Workload } from "./Plan.ts"

export const Question = Schema.Union([
  /** Open the cache; answered when it is ready. */
  Schema.TaggedStruct("Open", { opening: Opening, workload: Workload }),
  /** How many members it sees, itself included. */
  Schema.TaggedStruct("Members", {}),
  /** Start to change the cache. */
  Schema.TaggedStruct("Work", {}),
  Schema.TaggedStruct("Sample", {}),
  /** Stop to change the cache. */
  Schema.TaggedStruct("Rest", {}),
  /** What it holds, in short. */
  Schema.TaggedStruct("Look", {}),
  /** What it holds, key by key. */
  Schema.TaggedStruct("List", {}),
  Schema.TaggedStruct("Report", {}),
  /** Say farewell and end. */
  Schema.TaggedStruct("Close", {})
])
export type Question = typeof Question.Type

export const Asked = Schema.Struct({ id: Schema.Int, question: Question })
export type Asked = typeof Asked.Type

export const Answered = Schema.Struct({
  id: Schema.Int,
  value: Schema.optionalKey(Schema.Unknown),
  error: Schema.optionalKey(Schema.String)
})
export type Answered = typeof Answered.Type

/** A moment of a member. Counts are since its start. */
export const Sample = Schema.Struct({
  operations: Schema.Int,
  entries: Schema.Int,
  /** Writes that wait to be sent. */
  outbox: Schema.Int,
  lost: Schema.Int,
  repaired: Schema.Int,
  cpuMillis: Schema.Finite,
  residentBytes: Schema.Finite
})
export type Sample = typeof Sample.Type

export const Look = Schema.Struct({ checksum: Schema.String, outbox: Schema.Int })
export type Look = typeof Look.Type

/** An entry as a member holds it. */
export const Held = Schema.Struct({
  key: Schema.String,
  clock: Schema.Int,
  writer: Schema.String,
  crc: Schema.Int,
  bytes: Schema.Int,
  /** Which value it is; absent: none that anybody wrote. */
  tag: Schema.optionalKey(Schema.String)
})
export type Held = typeof Held.Type

export const Listing = Schema.Struct({
  held: Schema.Array(Held),
  /** What this member did last to each of its own keys: the tag that it wrote, or `null` when it deleted it. */
  own: Schema.Array(Schema.Tuple([Schema.String, Schema.NullOr(Schema.String)]))
})
export type Listing = typeof Listing.Type

const Depth = Schema.Struct({ average: Schema.Finite, max: Schema.Finite })

/** What a member did and counted. */
export const MemberReport = Schema.Struct({
  /** Its number, from 1. */
  member: Schema.Int,
  pid: Schema.Int,
  id: Schema.String,
  entries: Schema.Int,
  operations: Schema.Int,
  /** The mean time from one operation to the next. */
  snoozeMillis: Schema.Finite,
  /** Changes, own and others', within the callback window of the previous one, and the mean time between them. */
  spikeHits: Schema.Int,
  spikeIntervalMillis: Schema.Finite,
  /** Messages that the Listener took in one turn. */
  inQueue: Depth,
  /** Writes that waited to be sent, looked at after each turn of the workload. */
  outQueue: Depth,
  /** What this member called. */
  lookups: Schema.Int,
  misses: Schema.Int,
  inserts: Schema.Int,
  updates: Schema.Int,
  deletes: Schema.Int,
  evicts: Schema.Int,
  collisions: Schema.Int,
  datagramsIn: Schema.Int,
  datagramsOut: Schema.Int,
  lost: Schema.Int,
  repaired: Schema.Int,
  abandoned: Schema.Int,
  /** Datagrams that the kernel dropped because the receive buffer was full. */
  receiveOverflow: Schema.Int,
  repairRounds: Schema.Int,
  restarts: Schema.Int,
  propagationP50Millis: Schema.Finite,
  propagationP99Millis: Schema.Finite,
  /** Of one core, while it worked. */
  cpuPercent: Schema.Finite,
  residentBytes: Schema.Finite,
  /** Values read that nobody wrote. */
  damagedReads: Schema.Int,
  /** Reads of an own key that gave something else than what was written last, or anything after a delete. */
  staleReads: Schema.Int
})
export type MemberReport = typeof MemberReport.Type
