/** A member of the model: the real namespace on a clock of its own, and what the history says that it knows. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as HybridClock from "../../../src/domain/HybridClock.ts"
import type * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import * as Counters from "../../../src/services/Counters.ts"
import * as Namespace from "../../../src/services/Namespace.ts"
import { Knowledge, raise } from "./ModelKnowledge.ts"

/** A stamp that is further ahead waits in the outbox. */
const outboxAheadMillisMax = 250
/** One for all: nothing in the model looks at them. */
const counters = Counters.make()

/** What a member sends. */
export type Sent = Replica.Event

export interface Fill {
  readonly key: number
  readonly value: number
  readonly filling: Namespace.Filling
}

export class Member {
  readonly id: Stamp.MemberId
  readonly name: string
  readonly namespace: Namespace.Namespace
  readonly keys: ReadonlyArray<string>
  /** Begins anew with each reset. */
  knowledge = new Knowledge()
  readonly fills = new Map<number, Fill>()
  /** How far its clock is off. */
  skew: number
  readonly #time: { now: number }
  readonly #isValue: (stamp: Stamp.Stamp) => boolean

  constructor(
    place: number,
    generation: number,
    keys: ReadonlyArray<string>,
    options: Replica.Options,
    skew: number,
    time: { now: number },
    isValue: (stamp: Stamp.Stamp) => boolean,
    overflowed: () => void
  ) {
    this.name = "ABCD"[place] + (generation === 0 ? "" : String(generation + 1))
    this.id = "abcd"[place] + generation.toString(16).padStart(31, "0")
    this.keys = keys
    this.skew = skew
    this.#time = time
    this.#isValue = isValue
    const clock = HybridClock.make({ clockAheadMillisMax: 500 })
    this.namespace = new Namespace.Namespace(
      {
        self: this.id,
        time: {
          physical: () => this.now(),
          now: () => this.now(),
          glance: () => this.now(),
          ticks: () => time.now,
          correctionMillis: () => 0,
          correct: () => {}
        },
        clock,
        counters,
        places: { last: 0 },
        callbackWindowMillis: 0,
        wakeMulticaster: () => {},
        overflowed,
        settled: () => {},
        witness: {
          folded: (_, __, event, outcome) => this.#folded(event, outcome),
          took: () => {},
          accepted: () => {}
        },
        broken: () => {}
      },
      {
        name: "model",
        options,
        ttlMillis: 0,
        fingerprint: "model",
        sizing: `max=${options.cacheMax} size=${options.cacheSizeBytes}`,
        floor: 0,
        changes: {
          stream: Stream.empty,
          publish: (type, key, stamp, writer) => {
            if (type === "expire") raise(this.knowledge.gone, keys.indexOf(String(key)), { clock: stamp, writer })
          },
          sinceRead: () => false,
          callBack: () => undefined
        }
      },
      {
        name: "inbox",
        offer: () => true,
        handOver: () => true,
        wake: () => {},
        kill: Effect.void,
        depth: () => ({ now: 0, max: 0, average: 0, dropped: 0 }),
        restarts: () => 0
      }
    )
  }

  now(): number {
    return this.#time.now + this.skew
  }

  #folded(event: Replica.Event, outcome: Replica.Outcome): void {
    if (outcome === "refused") return
    const { knowledge } = this
    if (event._tag === "Clear") {
      knowledge.floor = Math.max(knowledge.floor, event.clock)
      return
    }
    const key = this.keys.indexOf(String(event.key))
    raise(knowledge.seen, key, event)
    if (outcome === "collided") raise(knowledge.dead, key, { clock: event.clock, writer: Stamp.collisionWriter })
    if (event._tag === "Del") {
      // Under the stamp of a value it tells that this expired or was evicted elsewhere, where it took the place of something
      // older: who holds that very value keeps it.
      if (!this.#isValue(event)) raise(knowledge.dead, key, event)
      else if (outcome === "deleted") raise(knowledge.gone, key, event)
    } else if (
      event.expiresAt !== 0 && event.expiresAt <= this.namespace.replica.judgedMillis && outcome === "stored"
    ) {
      raise(knowledge.gone, key, event)
    }
  }

  /** The next thing to send, as the Multicaster reads it; "later" when its clock is too far ahead. */
  next(): Sent | "later" | undefined {
    const { namespace } = this
    const { outbox, replica } = namespace
    const latest = Stamp.fromMillis(this.now() + outboxAheadMillisMax)
    const clear = outbox.peekClear()
    if (clear > latest) return "later"
    if (clear > 0) return { _tag: "Clear", clock: outbox.takeClear(), writer: this.id, origin: "remote" }
    const waiting = outbox.peek()
    if (waiting === undefined) return undefined
    const { key } = waiting
    const record = replica.records.get(key)
    if (record !== undefined && record.place > waiting.place) {
      outbox.taken()
      return undefined
    }
    const evicted = namespace.goneUnsent.get(key)
    const gone = record === undefined || (record.kind === "tombstone" && record.cause === "ghost")
    if ((gone ? evicted ?? 0 : record.clock) > latest) return "later"
    namespace.sent(key)
    outbox.taken()
    if (gone) {
      return evicted === undefined ? undefined : { _tag: "Del", key, clock: evicted, writer: this.id, origin: "remote" }
    }
    const { clock, writer } = record
    if (record.kind === "tombstone") return { _tag: "Del", key, clock, writer, origin: "remote" }
    const { crc, expiresAt } = record
    const value = namespace.options.mode === 2 ? undefined : record.value
    return { _tag: "Put", key, clock, writer, expiresAt, crc, value, origin: "remote" }
  }

  /** From here on a new member, as far as promises about the past go. The floor stays, and with it that of the clears. */
  startAnew(): void {
    this.namespace.startAnew()
    const { floor } = this.knowledge
    this.knowledge = new Knowledge()
    this.knowledge.floor = floor
  }
}
