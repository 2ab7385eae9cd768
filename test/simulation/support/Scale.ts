/**
 * What a cluster costs as it grows: scenarios in a simulated cluster of any size, and what each of them takes. For
 * `scripts/scale.ts`, which prints tables, and for the test that holds the constants.
 *
 * Each scenario ends with a check that all members hold the same: the traffic of a cluster that is not coherent counts
 * nothing. Heartbeats are counted apart: a scenario has those of the time that it happens to last.
 */
import * as Effect from "effect/Effect"
import type { Options } from "../../../src/domain/Configuration.ts"
import * as Datagram from "../../../src/domain/Datagram.ts"
import * as Framing from "../../../src/domain/Framing.ts"
import * as OperationCodec from "../../../src/domain/OperationCodec.ts"
import * as MemoryNetwork from "../../../src/runtime/MemoryNetwork.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"

/** What went over the network between two looks. */
export interface Traffic {
  /** Datagrams handed to the network, and copies of them that arrived. */
  readonly sent: number
  readonly delivered: number
  /** What did not fit into a receive buffer. */
  readonly overflowed: number
  readonly bytes: number
  /** Numbered datagrams: sent first, and again to everybody or to one member. */
  readonly data: number
  readonly repeatsToAll: number
  readonly repeatsToOne: number
  /** Numbers that members found missing, and gave up. */
  readonly lost: number
  readonly abandoned: number
  /** Heartbeats sent, by member. */
  readonly heartbeats: ReadonlyMap<string, number>
  /** Control operations sent, by tag. */
  readonly operations: Readonly<Record<string, number>>
  /** Copies that arrived at each member, in the order of `cluster.nodes()`. */
  readonly received: ReadonlyArray<number>
}

interface Totals {
  readonly received: number
  readonly lost: number
  readonly abandoned: number
  readonly operations: Readonly<Record<string, number>>
}

const nothing: Totals = { received: 0, lost: 0, abandoned: 0, operations: {} }

/** What follows the body of a datagram without a key. */
const crcBytes = 4

/** Whether a datagram without a key carries a PULSE that is no announcement: those ask to be acknowledged. */
const isHeartbeat = (payload: Uint8Array): boolean => {
  let found = false
  Framing.readBody(payload.subarray(Datagram.headerBytes, payload.length - crcBytes), {
    data: () => undefined,
    whole: (bytes, start, end) => {
      const operation = OperationCodec.decode(bytes, "", start, end)
      if (operation?._tag === "PULSE" && !operation.asks) found = true
    },
    part: () => undefined
  })
  return found
}

/** Counts what the cluster sends from now on, until it is read. Only datagrams without a key can be told apart. */
const meter = (cluster: Cluster.Cluster): () => Traffic => {
  const highest = new Map<string, number>()
  let [data, repeatsToAll, repeatsToOne] = [0, 0, 0]
  const heartbeats = new Map<string, number>()
  const stop = cluster.hub.tap(({ from, payload, to }) => {
    const at = Datagram.headerBytes
    if (payload[at] !== 1) {
      if (to === MemoryNetwork.everyone && isHeartbeat(payload)) heartbeats.set(from, (heartbeats.get(from) ?? 0) + 1)
      return
    }
    const view = new DataView(payload.buffer, payload.byteOffset)
    const number = (view.getUint16(at + 1) & 0x7fff) * 2 ** 32 + view.getUint32(at + 3)
    if (number > (highest.get(from) ?? 0)) {
      highest.set(from, number)
      data++
    } else if (to === MemoryNetwork.everyone) repeatsToAll++
    else repeatsToOne++
  })
  const totals = ({ member }: Cluster.Node): Totals => {
    const { network, operations } = member.localMetrics()
    return {
      received: network.datagramsIn,
      lost: network.lost,
      abandoned: network.abandoned,
      operations: operations.out
    }
  }
  const before = new Map(cluster.nodes().map((node) => [node.name, totals(node)]))
  const hub = { ...cluster.hub.counters() }
  return () => {
    stop()
    const after = cluster.hub.counters()
    const operations: Record<string, number> = {}
    const received: Array<number> = []
    let [lost, abandoned] = [0, 0]
    for (const node of cluster.nodes()) {
      const now = totals(node)
      const then = before.get(node.name) ?? nothing
      received.push(now.received - then.received)
      lost += now.lost - then.lost
      abandoned += now.abandoned - then.abandoned
      for (const [tag, count] of Object.entries(now.operations)) {
        operations[tag] = (operations[tag] ?? 0) + count - (then.operations[tag] ?? 0)
      }
    }
    return {
      sent: after.sent - hub.sent,
      delivered: after.delivered - hub.delivered,
      overflowed: after.overflowed - hub.overflowed,
      bytes: after.sentBytes - hub.sentBytes,
      data,
      repeatsToAll,
      repeatsToOne,
      lost,
      abandoned,
      heartbeats,
      operations,
      received
    }
  }
}

/** How long a datagram is under way. */
const delay = { minMillis: 0.5, maxMillis: 1 }

const roomy: Options = { cacheMax: 20_000, cacheSize: 16 * 1_048_576, cacheTtl: 0, cachePulse: "10 minutes" }

/** Lets time pass by the millisecond: what is to happen is done before the next begins, however much that is. */
const pass = Effect.fnUntraced(function*(cluster: Cluster.Cluster, millis: number) {
  for (let passed = 0; passed < millis; passed++) yield* cluster.advance(1)
})

/** Lets time pass until a condition holds; how many milliseconds that took. */
const until = Effect.fnUntraced(function*(
  cluster: Cluster.Cluster,
  what: string,
  condition: () => boolean,
  mostMillis: number,
  stepMillis = 1
) {
  for (let millis = 0; millis <= mostMillis; millis += stepMillis) {
    if (condition()) return millis
    yield* pass(cluster, stepMillis)
  }
  throw new Error(`${cluster.nodes().length} members did not come to this within ${mostMillis} ms: ${what}`)
})

const cacheOf = ({ member }: Cluster.Node) => member.cache<string>("n")

/** Whether everybody knows everybody else and holds what the first holds. */
const isCoherent = (cluster: Cluster.Cluster): boolean => {
  const nodes = cluster.nodes()
  const sum = nodes[0].member.localChecksum("n")
  const { size } = cacheOf(nodes[0])
  return nodes.every((node) =>
    cacheOf(node).size === size && node.member.localChecksum("n") === sum &&
    node.member.localMetrics().coherence.members === nodes.length
  )
}

/** What a storm took: members that start at the same moment. */
export interface Storm extends Traffic {
  readonly joiners: number
  /** Until the last of them is ready. */
  readonly readyMillis: number
}

/** Starts members at once, each with namespace `n`, and waits until all are ready and know each other. */
export const storm = Effect.fnUntraced(function*(cluster: Cluster.Cluster, joiners: number) {
  const take = meter(cluster)
  const first = cluster.nodes().length
  let ready = 0
  for (let index = 0; index < joiners; index++) {
    const node = yield* cluster.join(`m${first + index}`)
    node.member.cache("n")
    yield* Effect.forkChild(Effect.map(node.mccache.ready, () => {
      ready++
    }))
  }
  const readyMillis = yield* until(cluster, "all are ready", () => ready === joiners, 60_000)
  yield* until(cluster, "all hold the same", () => isCoherent(cluster), 30_000, 10)
  // What is still to be said, and no heartbeat more than necessary.
  yield* pass(cluster, 20)
  return { joiners, readyMillis, ...take() } satisfies Storm
})

/** An empty cluster, whose members start when `storm` says so. */
export const empty = (settings: { readonly options?: Options; readonly seed?: number } = {}) =>
  Cluster.make({ seed: settings.seed ?? 5, faults: { delay }, options: { ...roomy, ...settings.options } })

/** A cluster of so many members, which started in storms of `batch`. */
export const make = Effect.fnUntraced(function*(
  members: number,
  settings: {
    readonly options?: Options
    readonly seed?: number
    readonly batch?: number
    readonly progress?: (members: number) => void
  } = {}
) {
  const cluster = yield* empty(settings)
  while (cluster.nodes().length < members) {
    yield* storm(cluster, Math.min(settings.batch ?? 100, members - cluster.nodes().length))
    settings.progress?.(cluster.nodes().length)
  }
  // Digests that differed while members came may still be looked into.
  yield* pass(cluster, 3_000)
  return cluster
})

/** Nothing is written. */
export const idle = Effect.fnUntraced(function*(cluster: Cluster.Cluster, seconds: number) {
  const take = meter(cluster)
  yield* pass(cluster, seconds * 1_000)
  const traffic = take()
  if (!isCoherent(cluster)) throw new Error("a quiet cluster is not coherent")
  return traffic
})

/** What writing took. */
export interface Writing extends Traffic {
  readonly writes: number
  /** PULSEs beside the heartbeats. */
  readonly pulses: number
  /** Everything that was sent but heartbeats. */
  readonly caused: number
  /** From the last write until everybody had everything. */
  readonly settledMillis: number
  /** Copies that the writer received, and the reader that received most, heartbeats apart. */
  readonly writerReceived: number
  readonly readerReceived: number
}

/** Counts what `write` takes until everybody has all of it and nobody says anything more about it. */
const writing = Effect.fnUntraced(function*(
  cluster: Cluster.Cluster,
  settings: { readonly loss?: number | undefined },
  write: Effect.Effect<number>
) {
  cluster.faults({ loss: settings.loss ?? 0, delay })
  // Members that started together tell digests together: not in the middle of that.
  yield* pass(cluster, 333)
  const take = meter(cluster)
  const writes = yield* write
  const settledMillis = yield* until(cluster, "all hold the same", () => isCoherent(cluster), 60_000)
  // Late acknowledgements belong to it, too.
  yield* pass(cluster, 500)
  const traffic = take()
  if (!isCoherent(cluster)) throw new Error("the cluster did not stay coherent")
  cluster.faults({ delay })
  let heartbeats = 0
  for (const count of traffic.heartbeats.values()) heartbeats += count
  const received = cluster.nodes().map(({ name }, index) =>
    traffic.received[index] - heartbeats + (traffic.heartbeats.get(name) ?? 0)
  )
  return {
    ...traffic,
    writes,
    pulses: (traffic.operations.PULSE ?? 0) - heartbeats,
    caused: traffic.sent - heartbeats,
    settledMillis,
    writerReceived: received[0],
    readerReceived: Math.max(...received.slice(1))
  } satisfies Writing
})

const valueOf = (key: string): string => `${key}-${"x".repeat(80)}`

/** One member writes so often for so long. */
export const writes = (
  cluster: Cluster.Cluster,
  settings: { readonly perSecond: number; readonly seconds: number; readonly loss?: number }
) =>
  writing(
    cluster,
    settings,
    Effect.gen(function*() {
      const cache = cacheOf(cluster.nodes()[0])
      const count = settings.perSecond * settings.seconds
      for (let index = 0; index < count; index++) {
        cache.set(`key-${index % 1_000}`, valueOf(`${index}`))
        yield* pass(cluster, 1_000 / settings.perSecond)
      }
      return count
    })
  )

/** One member writes so many keys without a pause. */
export const burst = (cluster: Cluster.Cluster, settings: { readonly keys: number; readonly loss?: number }) =>
  writing(
    cluster,
    settings,
    Effect.sync(() => {
      const cache = cacheOf(cluster.nodes()[0])
      for (let index = 0; index < settings.keys; index++) cache.set(`burst-${index}`, valueOf(`burst-${index}`))
      return settings.keys
    })
  )

/** Counts datagrams to each member from now on: the most that were sent to one within a millisecond. */
export const peak = (cluster: Cluster.Cluster): () => number => {
  const counts = new Map<string, { at: number; count: number }>()
  let most = 0
  const stop = cluster.hub.tap(({ atMillis, to }) => {
    if (to === MemoryNetwork.everyone) return
    const at = Math.floor(atMillis)
    const known = counts.get(to)
    const count = known?.at === at ? known.count + 1 : 1
    counts.set(to, { at, count })
    most = Math.max(most, count)
  })
  return () => {
    stop()
    return most
  }
}
