/** The workload of one member: it does what its monkey says and remembers what it did. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CacheCore } from "../../services/CacheCore.ts"
import * as Monkey from "./Monkey.ts"
import type { Workload } from "./Plan.ts"
import * as StressValue from "./StressValue.ts"

/** What a member called, and what it saw. */
export interface Done {
  operations: number
  lookups: number
  misses: number
  inserts: number
  updates: number
  deletes: number
  damagedReads: number
  staleReads: number
  /** Of the outbox, after each turn. */
  turns: number
  outboxSum: number
  outboxMax: number
  startedMillis: number
  endedMillis: number
}

export interface Work {
  readonly done: Done
  /** What was done last to own keys: the value's tag, or `null` for deleted. */
  readonly own: ReadonlyMap<string, StressValue.Tag | null>
  /** Does operations until it is interrupted. */
  readonly run: Effect.Effect<never>
}

/** A timer takes a millisecond at least: shorter pauses are made by doing all that is due at once. */
const sleepMillisMin = 1
/**
 * What was due longer ago is left out: a process that waited for its turn does not make up for it, as one that sleeps after each
 * operation would not. A timer that is late by less is made up for.
 */
const debtMillisMax = 2

const nanosPerMilli = 1e6

export const make = (cache: CacheCore<string>, workload: Workload): Work => {
  const monkey = Monkey.make(workload)
  const own = new Map<string, StressValue.Tag | null>()
  let sequence = 0
  const done: Done = {
    operations: 0,
    lookups: 0,
    misses: 0,
    inserts: 0,
    updates: 0,
    deletes: 0,
    damagedReads: 0,
    staleReads: 0,
    turns: 0,
    outboxSum: 0,
    outboxMax: 0,
    startedMillis: 0,
    endedMillis: 0
  }

  const look = ({ key, own: isOwn }: Monkey.Operation): void => {
    const value = cache.get(key)
    done.lookups++
    if (value === undefined) {
      done.misses++
      return
    }
    const tag = StressValue.tagOf(value)
    if (tag === undefined) done.damagedReads++
    else if (isOwn && own.get(key) !== tag) done.staleReads++
  }

  const perform = (operation: Monkey.Operation): void => {
    const { bytes, key } = operation
    done.operations++
    if (operation.kind === "lookup") return look(operation)
    if (operation.kind === "delete") {
      cache.delete(key)
      done.deletes++
      if (operation.own) own.set(key, null)
      return
    }
    if (cache.has(key)) done.updates++
    else done.inserts++
    const tag = `${workload.member}.${++sequence}`
    cache.set(key, StressValue.make(tag, bytes))
    if (operation.own) own.set(key, tag)
  }

  const run = Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const nowMillis = (): number => Number(clock.monotonicTimeNanosUnsafe()) / nanosPerMilli
    let due = nowMillis()
    done.startedMillis = due
    while (true) {
      const now = nowMillis()
      due = Math.max(due, now - debtMillisMax)
      while (due <= now) {
        const operation = monkey.next()
        perform(operation)
        due += operation.pauseMillis
        // Without an aperture it would never end.
        if (nowMillis() - now > debtMillisMax) break
      }
      done.endedMillis = nowMillis()
      done.turns++
      const waiting = cache.namespace.outbox.size
      done.outboxSum += waiting
      if (waiting > done.outboxMax) done.outboxMax = waiting
      yield* Effect.sleep(Math.max(sleepMillisMin, due - nowMillis()))
    }
  })
  return { done, own, run }
}
