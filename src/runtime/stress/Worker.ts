/**
 * A member of the stress test in a process of its own, forked by `Crew.ts`: it does what it is told over the channel, and ends
 * when that closes, whatever became of the other side.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Open from "../Open.ts"
import {
  type Answered,
  Asked,
  type Held,
  type Listing,
  type Look,
  type MemberReport,
  type Question,
  type Sample
} from "./Conversation.ts"
import type { Opening, Workload } from "./Plan.ts"
import * as StressValue from "./StressValue.ts"
import * as Work from "./Work.ts"

/** Only hit when a process does not end by itself after its channel closed. */
const lastResortMillis = 10_000

const namespaceName = "stress"

/** An open member that can be asked. */
const open = Effect.fnUntraced(function*(opening: Opening, workload: Workload) {
  const member = yield* Open.member(opening, {})
  const cache = member.cache<string>(namespaceName)
  const work = Work.make(cache, workload)
  yield* member.ready
  let working: Fiber.Fiber<never> | undefined
  let cpuMillisAtStart = 0
  let cpuMillisAtEnd = 0
  const cpuMillis = (): number => member.localMetrics().process.cpuMillis

  const sample = (): Sample => {
    const { namespaces, network, process: usage } = member.localMetrics()
    return {
      operations: work.done.operations,
      entries: namespaces[namespaceName].count,
      outbox: namespaces[namespaceName].outbox,
      lost: network.lost,
      repaired: network.repaired,
      cpuMillis: usage.cpuMillis,
      residentBytes: usage.residentBytes
    }
  }

  const look = (): Look => ({ checksum: cache.checksum() ?? "", outbox: cache.namespace.outbox.size })

  const list = (): Listing => {
    const held: Array<Held> = []
    for (const key of cache.keys()) {
      const known = cache.metadata(key)
      if (known === undefined) continue
      const tag = StressValue.tagOf(cache.peek(key))
      const { bytes, crc, stamp: { clock, writer } } = known
      held.push({ key: String(key), clock, writer, crc, bytes, ...(tag === undefined ? {} : { tag }) })
    }
    return { held, own: [...work.own] }
  }

  const report = (): MemberReport => {
    const { coherence, namespaces, network, process: usage, propagation, queues, restarts } = member.localMetrics()
    const { [namespaceName]: counted } = namespaces
    const { done } = work
    const workedMillis = Math.max(1, done.endedMillis - done.startedMillis)
    return {
      member: workload.member + 1,
      pid: process.pid,
      id: member.id,
      entries: counted.count,
      operations: done.operations,
      snoozeMillis: workedMillis / Math.max(1, done.operations),
      spikeHits: counted.spikes,
      spikeIntervalMillis: counted.spikeInterval,
      inQueue: { average: queues.listener.average, max: queues.listener.max },
      outQueue: { average: done.outboxSum / Math.max(1, done.turns), max: done.outboxMax },
      lookups: done.lookups,
      misses: done.misses,
      inserts: done.inserts,
      updates: done.updates,
      deletes: done.deletes,
      evicts: counted.evicts,
      collisions: counted.collisions,
      datagramsIn: network.datagramsIn,
      datagramsOut: network.datagramsOut,
      lost: network.lost,
      repaired: network.repaired,
      abandoned: network.abandoned,
      receiveOverflow: network.receiveOverflow,
      repairRounds: coherence.repairRounds,
      restarts: Object.values(restarts).reduce((sum, count) => sum + count, 0),
      propagationP50Millis: propagation.p50,
      propagationP99Millis: propagation.p99,
      cpuPercent: 100 * (cpuMillisAtEnd - cpuMillisAtStart) / workedMillis,
      residentBytes: usage.residentBytes,
      damagedReads: done.damagedReads,
      staleReads: done.staleReads
    }
  }

  const start = Effect.gen(function*() {
    cpuMillisAtStart = cpuMillis()
    working = yield* Effect.forkScoped(work.run)
  })
  const rest = Effect.gen(function*() {
    if (working !== undefined) yield* Fiber.interrupt(working)
    cpuMillisAtEnd = cpuMillis()
  })
  return { member, sample, look, list, report, start, rest }
})

type Opened = Effect.Success<ReturnType<typeof open>>

/** The answer to anything but `Open` and `Close`. */
const answer = (opened: Opened, question: Exclude<Question, { readonly _tag: "Open" | "Close" }>) => {
  switch (question._tag) {
    case "Members":
      return Effect.sync(() => opened.member.members().length)
    case "Work":
      return opened.start
    case "Rest":
      return opened.rest
    case "Sample":
      return Effect.sync(opened.sample)
    case "Look":
      return Effect.sync(opened.look)
    case "List":
      return Effect.sync(opened.list)
    case "Report":
      return Effect.sync(opened.report)
  }
}

/** What arrives on the channel; ends with it. */
const listen: Effect.Effect<Queue.Dequeue<unknown, Cause.Done>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<unknown, Cause.Done>()
    const hear = (message: unknown): void => void Queue.offerUnsafe(queue, message)
    const end = (): void => {
      Queue.endUnsafe(queue)
      setTimeout(() => process.exit(1), lastResortMillis).unref()
    }
    process.on("message", hear)
    process.once("disconnect", end)
    if (!process.connected) end()
    return { queue, hear, end }
  }),
  ({ end, hear }) =>
    Effect.sync(() => {
      process.off("message", hear)
      process.off("disconnect", end)
      if (process.connected) process.disconnect()
    })
).pipe(Effect.map(({ queue }) => queue))

const send = (answered: Answered): Effect.Effect<void> =>
  Effect.sync(() => {
    // The other side may be gone at any moment, which ends this soon.
    if (process.connected) process.send?.(answered, () => undefined)
  })

/** Answers until it is told to end, or nobody is there any more. */
export const run: Effect.Effect<void> = Effect.scoped(Effect.gen(function*() {
  const queue = yield* listen
  let opened: Opened | undefined
  while (true) {
    const message = yield* Effect.option(Queue.take(queue))
    if (Option.isNone(message)) return
    const { id, question } = yield* Effect.orDie(Schema.decodeUnknownEffect(Asked)(message.value))
    const exit = yield* Effect.exit(Effect.gen(function*() {
      if (question._tag === "Open") {
        opened = yield* open(question.opening, question.workload)
        return opened.member.id
      }
      if (question._tag === "Close") return undefined
      return opened === undefined ? yield* Effect.die(new Error("It is not open.")) : yield* answer(opened, question)
    }))
    if (Exit.isSuccess(exit)) {
      const { value } = exit
      yield* send(value === undefined ? { id } : { id, value })
    } else yield* send({ id, error: Cause.pretty(exit.cause) })
    if (question._tag === "Close") return
  }
}))
