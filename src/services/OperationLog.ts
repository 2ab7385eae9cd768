/**
 * What operations come in and go out: counted, and at level debug logged, one line each, as McCache's debug log has them:
 * operation, sender or receiver, namespace, key, stamp and checksum. Level debug tells of writes, joins and leaves; trace
 * also of what the protocol says of itself.
 *
 * The level is looked at once, when the member starts. Above debug an operation costs its count and nothing else; else the
 * lines of a turn are noted, and logged by a fiber of their own. More than `linesMax` that wait are left out and counted.
 */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import { createHmac, hkdfSync } from "node:crypto"
import type { Key } from "../domain/Key.ts"
import type { Control, Operation, Write } from "../domain/Operation.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as Stamp from "../domain/Stamp.ts"
import * as Actor from "./Actor.ts"
import { count, type Counters } from "./Counters.ts"

/** What is written: the fields of a PUT, DEL or CLEAR that a line shows. */
export interface Written {
  readonly key?: Key
  readonly clock: number
  readonly writer: MemberId
  readonly crc?: number
}

export interface OperationLog {
  /** An operation of another member arrived. */
  readonly received: (operation: Operation, sender: MemberId) => void
  /** A control message goes out, to one member or to all. */
  readonly sent: (operation: Control, to: MemberId | undefined) => void
  /** A write goes out, to all. */
  readonly wrote: (tag: Write["_tag"], namespace: string, written: Written) => void
}

/** Lines that wait for their fiber. */
export const linesMax = 8_192

/** Of these a debug log would consist. */
const own: ReadonlySet<string> = new Set<Operation["_tag"]>([
  "ACK",
  "NACK",
  "PULSE",
  "CHALLENGE",
  "PROOF",
  "REPLY",
  "PULL",
  "DIGEST",
  "LISTING",
  "WANT",
  "METRICS",
  "CHECKSUM"
])

/**
 * Hashes of keys for logs, 64 bits as hexadecimal: equal at all members, so that their lines can be put side by side. With
 * the cluster's key in them nobody without it can try out keys; a new first key makes new hashes.
 */
export const keyHash = (cluster: string, secret: Uint8Array | undefined): (key: Key) => string => {
  const bytes = hkdfSync("sha256", secret ?? new Uint8Array(0), cluster, "mccache1 log keys", 32)
  const derived = new Uint8Array(bytes)
  return (key) => createHmac("sha256", derived).update(`${typeof key}:${key}`).digest("hex").slice(0, 16)
}

interface Line {
  readonly tag: Operation["_tag"]
  readonly received: boolean
  /** The sender, or the receiver; `undefined` for all. */
  readonly peer: MemberId | undefined
  readonly namespace: string | undefined
  readonly written: Written | undefined
}

export const start = Effect.fnUntraced(function*(options: {
  readonly self: MemberId
  readonly counters: Counters
  /** Monotonic milliseconds. */
  readonly ticks: () => number
  /** How a key is shown; `undefined`: as it is. */
  readonly hashKey: ((key: Key) => string) | undefined
}): Effect.fn.Return<OperationLog, never, Scope.Scope> {
  const { counters, hashKey, self } = options
  const counted: OperationLog = {
    received: (operation) => count(counters.operationsIn, operation._tag),
    sent: (operation) => count(counters.operationsOut, operation._tag),
    wrote: (tag) => count(counters.operationsOut, tag)
  }
  if (!(yield* LogLevel.isEnabled("Debug"))) return counted
  const isTraced = yield* LogLevel.isEnabled("Trace")

  let lines: Array<Line> = []
  let leftOut = 0

  const annotations = ({ namespace, peer, received, tag, written }: Line): { readonly [name: string]: unknown } => ({
    member: self.slice(0, 8),
    operation: tag,
    ...(received ? { sender: peer?.slice(0, 8) } : { receiver: peer?.slice(0, 8) ?? "all" }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(written?.key === undefined ? {} : { key: hashKey === undefined ? written.key : hashKey(written.key) }),
    ...(written === undefined ? {} : { stamp: Stamp.format(written) }),
    ...(written?.crc === undefined ? {} : { checksum: written.crc.toString(16).padStart(8, "0") })
  })

  const logAll: Effect.Effect<void> = Effect.suspend(() => {
    const taken = lines
    const missing = leftOut
    lines = []
    leftOut = 0
    return Effect.andThen(
      Effect.forEach(taken, (line) =>
        Effect.logWithLevel(own.has(line.tag) ? "Trace" : "Debug")(
          `McCache ${line.received ? "received" : "sent"} ${line.tag}`
        ).pipe(Effect.annotateLogs(annotations(line))), { discard: true }),
      missing === 0 ? Effect.void : Effect.logDebug(
        `McCache left out ${missing} operations here: more came at once than are logged`
      ).pipe(Effect.annotateLogs({ member: self.slice(0, 8), leftOut: missing }))
    )
  })

  // What waits when the member ends is logged then, its farewell among it.
  yield* Effect.addFinalizer(() => logAll)
  const actor = yield* Actor.start<never>({
    name: "operation log",
    capacity: 1,
    handle: () => lines.length === 0 ? undefined : logAll,
    nextDue: () => Infinity
  }, options.ticks)

  const note = (line: Line): void => {
    if (!isTraced && own.has(line.tag)) return
    if (lines.length >= linesMax) {
      leftOut++
      return
    }
    lines.push(line)
    actor.wake()
  }

  return {
    received: (operation, sender) => {
      counted.received(operation, sender)
      note({
        tag: operation._tag,
        received: true,
        peer: sender,
        namespace: "namespace" in operation ? operation.namespace : undefined,
        written: writtenOf(operation)
      })
    },
    sent: (operation, to) => {
      counted.sent(operation, to)
      note({
        tag: operation._tag,
        received: false,
        peer: to,
        namespace: "namespace" in operation ? operation.namespace : undefined,
        written: undefined
      })
    },
    wrote: (tag, namespace, written) => {
      counted.wrote(tag, namespace, written)
      note({ tag, received: false, peer: undefined, namespace, written: withoutValue(written, tag === "PUT") })
    }
  }
})

/** The value itself must not wait with a line. */
const withoutValue = ({ clock, crc, key, writer }: Written, hasCrc: boolean): Written => ({
  clock,
  writer,
  ...(key === undefined ? {} : { key }),
  ...(hasCrc && crc !== undefined ? { crc } : {})
})

const writtenOf = (operation: Operation): Written | undefined => {
  switch (operation._tag) {
    case "PUT":
      return withoutValue(operation, true)
    case "DEL":
    case "CLEAR":
      return withoutValue(operation, false)
    default:
      return undefined
  }
}
