/**
 * Drains the outboxes of all namespaces into bodies that wait for a number. Owned by the Multicaster.
 *
 * 1. Namespaces take turns, each with up to a datagram's worth.
 * 2. What is sent is what the key is now, not what it was when it was written; what needs no telling any more is not told.
 * 3. A stamp so far ahead of the clock that others would refuse it waits, in its place, until it is not.
 */
import type { Protocol } from "../domain/Configuration.ts"
import * as Framing from "../domain/Framing.ts"
import type { Write } from "../domain/Operation.ts"
import type { Places, Waiting } from "../domain/Outbox.ts"
import type { Packed } from "../domain/Packed.ts"
import * as Replica from "../domain/Replica.ts"
import * as Stamp from "../domain/Stamp.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as WriteCodec from "../domain/WriteCodec.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"
import type { OperationLog } from "./OperationLog.ts"

export interface Host {
  readonly self: MemberId
  readonly time: MemberTime
  readonly protocol: Protocol
  readonly operations: OperationLog
  readonly places: Places
  readonly namespaces: ReadonlyMap<string, Namespace>
  /** Of data. */
  readonly packer: Framing.Packer
}

export interface Drain {
  /** The next body, with room for its number; `undefined` when there is nothing to send now. */
  readonly next: () => Uint8Array | undefined
  /** Looks anew at what had to wait. */
  readonly look: () => void
  /** When to look again at what has to wait; `Infinity` for never. */
  readonly heldUntil: () => number
  /** Whether there is anything to send. */
  readonly pending: () => boolean
  readonly outboxKeys: () => number
  /** The place of the oldest thing that `next` did not give yet; `Infinity` for none. */
  readonly oldestPlace: () => number
  /** Sends a clear of a namespace that is not open here, or of all (`""`). */
  readonly clear: (namespace: string, clock: number) => void
  /** Forgets the clears that were not sent yet. */
  readonly dropClears: () => void
  /** Forgets all that was not sent yet. */
  readonly dropAll: () => void
}

/** Room for a large record that is kept for the next one. */
const largeBytesKept = 262_144

export const make = ({ namespaces: all, operations, packer, places, protocol, self, time }: Host): Drain => {
  /** Bodies of records that are taken from the outbox but not numbered yet: at most those of one record. */
  let ready: Array<Uint8Array> = []
  let readyAt = 0
  /** The oldest places of what is in those, and in the body that is not full. */
  let readyPlace = Infinity
  let bodyPlace = Infinity
  const writes = new WriteCodec.Encoder(self)
  /** Clears of all namespaces (`""`) and of those that are not open here, not sent yet. */
  const clears = new Map<string, { readonly clock: number; readonly place: number }>()
  /** Where a record is written that no body has room for, until it is cut into parts. */
  let large = new Uint8Array(0)
  let turn = 0
  let heldUntil = Infinity

  /** Whether a stamp is so far ahead of the clock that others would refuse it: it waits until it is not. */
  const isAhead = (clock: number, now: number): boolean => {
    if (Stamp.toMillis(clock) - now <= protocol.outboxAheadMillisMax) return false
    heldUntil = time.ticks() + 10
    return true
  }

  /** Packs what tells the present state of the key that is next, if there is anything to tell (any more). False: it must wait. */
  const packNext = (namespace: Namespace, waiting: Waiting, now: number): boolean => {
    const { key } = waiting
    const record = waiting.held ? waiting : Replica.record(namespace.replica, key)
    // The key waits anew, in a later place: what waited here is gone, and told by whoever made it so.
    if (record !== undefined && record.place > waiting.place) return true
    const goneUnsent = namespace.goneUnsent.size === 0 ? undefined : namespace.goneUnsent.get(key)
    const gone = record === undefined || (record.kind === "tombstone" && record.cause === "ghost")
    if (isAhead(gone ? goneUnsent ?? 0 : record.clock, now)) return false
    namespace.sent(key)
    const { name } = namespace
    const { place } = waiting
    if (gone) {
      if (goneUnsent !== undefined) pack(place, "DEL", name, { key, clock: goneUnsent, writer: self }, undefined)
    } else if (record.kind === "tombstone") pack(place, "DEL", name, record, undefined)
    else pack(place, "PUT", name, record, namespace.options.mode === 2 ? undefined : record.value)
    return true
  }

  const pack = (
    place: number,
    tag: Write["_tag"],
    namespace: string,
    written: WriteCodec.Written,
    value: Packed | undefined
  ): void => {
    operations.wrote(tag, namespace, written)
    if (packer.isEmpty) writes.startBody()
    let length = writes.bytes(tag, namespace, written, value)
    if (!packer.hasRoom(length)) {
      writes.startBody()
      length = writes.bytes(tag, namespace, written, value)
    }
    const bodies = ready.length
    const at = packer.place(length, ready)
    if (ready.length > bodies) getReady()
    bodyPlace = Math.min(bodyPlace, place)
    if (at >= 0) writes.write(tag, namespace, written, value, packer.target, at)
    else {
      if (large.length < length) large = new Uint8Array(length)
      writes.write(tag, namespace, written, value, large, 0)
      for (const body of packer.add(large.subarray(0, length))) ready.push(body)
      getReady()
      if (large.length > largeBytesKept) large = new Uint8Array(0)
    }
  }

  /** What was in the body in work is among the bodies that are ready. */
  const getReady = (): void => {
    readyPlace = Math.min(readyPlace, bodyPlace)
    bodyPlace = Infinity
  }

  /** Takes from the outboxes, in turn, until a body is full or nothing is left. */
  const fill = (): void => {
    const now = time.now()
    for (const [namespace, { clock, place }] of clears) {
      if (isAhead(clock, now)) continue
      clears.delete(namespace)
      pack(place, "CLEAR", namespace, { clock, writer: self }, undefined)
    }
    const namespaces = [...all.values()].filter((namespace) => namespace.outbox.size > 0)
    let idle = 0
    while (ready.length === 0 && idle < namespaces.length) {
      const namespace = namespaces[turn++ % namespaces.length]
      idle++
      const clear = namespace.outbox.peekClear()
      // It keeps its place while it waits: a flush must not pass it.
      if (clear > 0 && isAhead(clear, now)) continue
      if (clear > 0) {
        const place = namespace.outbox.oldest()
        namespace.outbox.takeClear()
        pack(place, "CLEAR", namespace.name, { clock: clear, writer: self }, undefined)
      }
      // A namespace sends up to a datagram's worth before the next has its turn.
      while (ready.length === 0) {
        const waiting = namespace.outbox.peek()
        if (waiting === undefined || !packNext(namespace, waiting, now)) break
        namespace.outbox.taken()
        idle = 0
      }
    }
    if (ready.length === 0) {
      const rest = packer.flush()
      if (rest !== undefined) ready.push(rest)
      getReady()
    }
  }

  const outboxKeys = (): number => {
    let keys = clears.size
    for (const namespace of all.values()) keys += namespace.outbox.size
    return keys
  }

  const oldestPlace = (): number => {
    let oldest = readyAt < ready.length ? Math.min(readyPlace, bodyPlace) : bodyPlace
    for (const { place } of clears.values()) oldest = Math.min(oldest, place)
    for (const namespace of all.values()) oldest = Math.min(oldest, namespace.outbox.oldest())
    return oldest
  }

  return {
    next: () => {
      if (readyAt === ready.length) {
        ready = []
        readyAt = 0
        readyPlace = Infinity
        fill()
      }
      return readyAt === ready.length ? undefined : ready[readyAt++]
    },
    look: () => {
      heldUntil = Infinity
    },
    heldUntil: () => heldUntil,
    pending: () => readyAt < ready.length || !packer.isEmpty || outboxKeys() > 0,
    outboxKeys,
    oldestPlace,
    clear: (namespace, clock) =>
      void clears.set(namespace, { clock, place: clears.get(namespace)?.place ?? ++places.last }),
    dropClears: () => clears.clear(),
    dropAll: () => {
      for (const namespace of all.values()) namespace.dropUnsent()
      packer.flush()
      ready = []
      readyAt = 0
      bodyPlace = Infinity
      clears.clear()
    }
  }
}
