/** Replicas and events for tests: short ways to write them down, and what there is to see of a replica. */
import * as HybridClock from "../../../src/domain/HybridClock.ts"
import type { Key } from "../../../src/domain/Key.ts"
import * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"

/** Where the tests' time begins. */
export const t0 = Stamp.epochMillis + 40_000_000_000

/** The clock value of a moment so many milliseconds after the beginning. */
export const clockAt = (millis: number, counter = 0): number => Stamp.fromMillis(t0 + millis) + counter

/** A member's id from a letter. */
export const member = (letter: string): Stamp.MemberId => letter.repeat(32)
export const a = member("a")
export const b = member("b")
export const c = member("c")

export interface Happened {
  readonly what: string
  readonly key: Key
  readonly clock: number
}

export interface Subject {
  readonly replica: Replica.Replica
  /** What its observer was told, oldest first. */
  readonly happened: Array<Happened>
}

export const make = (options: Partial<Replica.Options> = {}): Subject => {
  const happened: Array<Happened> = []
  const resolved: Replica.Options = {
    mode: 1,
    collision: "tie",
    eviction: options.mode === undefined || options.mode === 1 ? "updated" : "used",
    cacheMax: 1_000,
    cacheSizeBytes: 1_000_000,
    tombstoneHorizonMillis: 3_600_000,
    tombstonesMax: 65_536,
    ...options
  }
  const replica = Replica.make(resolved, HybridClock.make({ clockAheadMillisMax: 500 }), {
    replaced: () => undefined,
    put: (entry) => happened.push({ what: "put", key: entry.key, clock: entry.clock }),
    removed: (entry, reason) => happened.push({ what: reason, key: entry.key, clock: entry.clock }),
    collided: (key, clock) => happened.push({ what: "collided", key, clock })
  })
  return { replica, happened }
}

type Put = Extract<Replica.Event, { readonly _tag: "Put" }>

export const put = (key: Key, clock: number, writer: Stamp.MemberId, more: Partial<Put> = {}): Replica.Event => ({
  _tag: "Put",
  key,
  clock,
  writer,
  expiresAt: 0,
  // What one writes under one stamp is one value.
  crc: clock % 65_521,
  value: Uint8Array.of(clock & 255, clock >> 8 & 255),
  origin: "remote",
  ...more
})

export const del = (
  key: Key,
  clock: number,
  writer: Stamp.MemberId,
  origin: Replica.Origin = "remote"
): Replica.Event => ({ _tag: "Del", key, clock, writer, origin })

export const clear = (clock: number, writer: Stamp.MemberId = a, origin: Replica.Origin = "remote"): Replica.Event => ({
  _tag: "Clear",
  clock,
  writer,
  origin
})

/** The stamp that is read for a key, as text, or `undefined`. */
export const read = ({ replica }: Subject, key: Key, nowMillis: number): string | undefined => {
  const entry = Replica.peek(replica, key, nowMillis)
  return entry === undefined ? undefined : `${entry.clock}/${entry.writer}`
}

/** Everything that the rules decide: records by key with kind and stamp, and the floor. */
export const stateOf = ({ replica }: Subject): unknown => ({
  floor: replica.floor,
  records: [...replica.records.values()]
    .filter((record) => record.clock > replica.floor)
    .map((record) => `${typeof record.key}:${record.key} ${record.kind} ${record.clock}/${record.writer}`)
    .sort()
})

export const shuffled = <A>(list: ReadonlyArray<A>, random: () => number): Array<A> => {
  const result = [...list]
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    const kept = result[index]
    result[index] = result[other]
    result[other] = kept
  }
  return result
}
