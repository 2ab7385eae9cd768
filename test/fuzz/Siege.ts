/**
 * A siege: two honest members of a simulated cluster, a victim and a bystander, under a stream of bad datagrams. One seed
 * gives one siege. Afterwards the attacker falls silent, and the two must be as they would be had it never come, but for
 * what a member may rightly write.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Key from "../../src/domain/Key.ts"
import * as Replica from "../../src/domain/Replica.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import { everyone, type Sent } from "../../src/runtime/MemoryNetwork.ts"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import type { MemberMetrics } from "../../src/services/Reports.ts"
import * as Sealing from "../../src/services/Sealing.ts"
import * as Capture from "./Capture.ts"
import { Defect } from "./Defect.ts"
import { Dice } from "./Dice.ts"
import * as Intruders from "./Intruder.ts"
import { Ledger } from "./Ledger.ts"
import * as Mutations from "./Mutations.ts"

/**
 * What comes: bytes of chance; damaged and replayed captures; well sealed bodies of senders who do not answer when they
 * are challenged; a member that proved itself.
 */
export const kinds = ["random", "mutated", "strangers", "hostile"] as const
export type Kind = typeof kinds[number]

export interface Result {
  readonly datagrams: number
  readonly refused: { readonly [reason: string]: number }
  /** Operations that were decoded. */
  readonly operations: number
  /** The longest that a single datagram took, and one of a batch on the average of it, in milliseconds. */
  readonly worstMillis: number
  readonly worstBatchMillis: number
  /** The median over turns of single datagrams, in milliseconds. */
  readonly medianMillis: number
  /** What the heap grew by from before the first datagram to after the last, all members and checkers alive. */
  readonly heapGrowthBytes: number
}

const nothing: ReadonlyArray<never> = []

const options = {
  cacheTtl: 0,
  cacheMax: 200,
  cacheSize: 262_144,
  protocol: {
    tombstonesMax: 500,
    reassemblyBytesMax: 1_048_576,
    retainBytesMax: 1_048_576,
    sessionsMax: 64,
    parkedDatagramsMax: 16
  }
}

/** What must not change at all while nobody with the key says anything. */
const stateOf = ({ member }: Cluster.Node): string =>
  JSON.stringify([
    [...member.namespaces()].map(([name, { replica }]) => [
      name,
      replica.floor,
      replica.forget,
      replica.clock.last,
      replica.incarnation,
      [...replica.records.values()].map(({ clock, key, kind, writer }) => [key, kind, clock, writer])
    ]),
    member.members().map(({ address, id, state }) => [id, address, state])
  ])

/** What a live member must be at any time. */
const sound = (node: Cluster.Node, nowMillis: number): void => {
  const { member, name } = node
  for (const [fiber, { restarts }] of member.fibers()) {
    if (restarts() > 0) throw new Defect(`${name}'s fiber ${fiber} was restarted`)
  }
  const { coherence } = member.localMetrics()
  if (coherence.callbackFailures > 0) throw new Defect(`${name} had ${coherence.callbackFailures} failing callbacks`)
  const ahead = member.configuration.protocol.clockAheadMillisMax + 1
  for (const { name: namespace, replica } of member.namespaces().values()) {
    if (replica.clock.last > Stamp.fromMillis(nowMillis + ahead)) {
      throw new Defect(`${name}'s clock ran ahead to ${replica.clock.last} at ${Stamp.fromMillis(nowMillis)}`)
    }
    for (const { key } of replica.records.values()) {
      const problem = Key.problem(key)
      if (problem !== undefined) throw new Defect(`${name} holds ${problem} as a key of ${namespace}`)
    }
  }
}

const bounded = (node: Cluster.Node): void => {
  const { configuration: { protocol }, localMetrics, members } = node.member
  const { network, queues } = localMetrics()
  const within = (what: string, value: number, bound: number): void => {
    if (value > bound) throw new Defect(`${node.name} has ${value} ${what}, more than ${bound}`)
  }
  within("members", members().length, protocol.sessionsMax + 1)
  within("bytes kept for repeats", network.retainedBytes, protocol.retainBytesMax)
  within("bytes in reassembly", network.reassemblyBytes, 4 * protocol.reassemblyBytesMax)
  for (const [queue, { now }] of Object.entries(queues)) within(`messages in ${queue}`, now, 65_536)
}

/** Reads everything, as a user would: hostile values are decoded here. */
const readAll = ({ member }: Cluster.Node): void => {
  for (const name of Object.values(Capture.namespaces)) {
    const cache = member.cache(name)
    for (const [key] of cache.entries()) {
      cache.get(key)
      cache.metadata(key)
    }
  }
}

const headerLike = (dice: Dice): Uint8Array => {
  const bytes = dice.bytes(dice.below(300))
  if (dice.chance(0.5)) bytes.set([0x4d, 0x63, 1, dice.below(4)].slice(0, bytes.length))
  return bytes
}

/** Lays a siege. `measure` is a clock in milliseconds. */
export const lay = Effect.fnUntraced(function*(settings: {
  readonly seed: number
  readonly kind: Kind
  readonly keyed: boolean
  readonly datagrams: number
  /** Unsealed contents, and captured datagrams that are sealed as this cluster's are. */
  readonly contents: Capture.Contents
  readonly captured: ReadonlyArray<Uint8Array>
  readonly measure: () => number
  /** Bytes of the heap that are in use. */
  readonly heapBytes: () => number
}): Effect.fn.Return<Result, unknown> {
  return yield* besiege(settings).pipe(Effect.scoped)
})

const besiege = Effect.fnUntraced(function*(
  settings: Parameters<typeof lay>[0]
): Effect.fn.Return<Result, unknown, Scope.Scope> {
  const { captured, contents, kind, keyed, measure, seed } = settings
  const dice = new Dice(seed)
  const cluster = yield* Cluster.make({
    seed,
    options: { ...options, cryptoKey: keyed ? Capture.cryptoKey : undefined },
    faults: { delay: { minMillis: 0.5, maxMillis: 1 } }
  })
  const observers = Object.values(Capture.namespaces).map((name) => Checkers.observe(cluster, name, { forged: true }))
  const bystander = yield* cluster.join("bystander")
  yield* cluster.advance("1 second")
  const victim = yield* cluster.join("victim")
  const nodes = [victim, bystander]
  for (const node of nodes) Capture.open(node)
  yield* cluster.advance("2 seconds")
  for (const name of Object.values(Capture.namespaces)) {
    for (let index = 0; index < 30; index++) victim.member.cache(name).set(`key-${index}`, `value ${index}`)
    bystander.member.cache(name).delete("key-3")
  }
  yield* cluster.advance("3 seconds")

  const ledger = new Ledger()
  for (const node of nodes) ledger.noteHeld(node)
  const clock = yield* Clock.Clock
  // A test clock counts from 0, which members take for the day from which stamps count.
  const nowMillis = (): number => Stamp.epochMillis + Math.floor(clock.currentTimeMillisUnsafe())
  const keys = keyed ? [Buffer.from(Capture.cryptoKey, "base64url")] : nothing
  const names = new Map(nodes.map(({ member, name }) => [member.id, name]))
  const intruder = new Intruders.Intruder({
    dice,
    contents,
    cluster: "simulation",
    keys,
    names,
    nowMillis,
    ledger
  })
  const recent: Array<Uint8Array> = [dice.pick(captured)]
  const young: Array<Sent> = []
  // Read afterwards: what fails in a tap would be taken for a failure of the sender.
  const heard: Array<Sent> = []
  cluster.hub.tap((sent) => {
    if (kind === "hostile") heard.push(sent)
    young.push(sent)
  })
  /** What is under way may not be overtaken: who relays a fresh datagram faster than the network is taken for its sender. */
  const age = (): void => {
    while (young.length > 0 && young[0].atMillis < clock.currentTimeMillisUnsafe() - 2) {
      const sent = young.shift()
      if (sent !== undefined) recent.push(sent.payload)
      if (recent.length > 200) recent.shift()
    }
  }

  const anyone = (): string => dice.pick(["victim", "victim", everyone])
  const sealings = new Map<number, Sealing.Sealing>()
  const stranger = (): Sealing.Sealing => {
    const which = dice.below(2_000)
    const known = sealings.get(which)
    if (known !== undefined) return known
    const self = Buffer.from(dice.bytes(16)).toString("hex")
    const made = Sealing.make({ self, cluster: "simulation", keys, nowMillis, derivationsPerSecondMax: Infinity })
    sealings.set(which, made)
    return made
  }
  const shot = (): Intruders.Shot => {
    switch (kind) {
      case "random":
        return { to: anyone(), payload: headerLike(dice) }
      case "mutated": {
        const corpus = dice.chance(0.5) ? captured : recent
        return { to: anyone(), payload: dice.chance(0.1) ? dice.pick(corpus) : Mutations.mutant(dice, corpus) }
      }
      case "strangers": {
        const body = dice.chance(0.3) ? dice.pick(contents.bodies) : Mutations.mutant(dice, contents.bodies)
        return { to: anyone(), payload: stranger().seal(body, dice.chance(0.3) ? victim.member.id : undefined) }
      }
      case "hostile":
        return intruder.shoot()
    }
  }

  const quiet = kind !== "hostile"
  const before = nodes.map(stateOf)
  const metricsBefore = victim.member.localMetrics()
  const heapBefore = settings.heapBytes()
  const look = (): void => {
    for (const node of nodes) {
      sound(node, nowMillis())
      bounded(node)
      ledger.check(node)
    }
    for (const observer of observers) Checkers.look(observer)
    if (!quiet) return
    for (const [index, node] of nodes.entries()) {
      const [was, is] = [before[index], stateOf(node)]
      if (was === is) continue
      const from = [...was].findIndex((unit, at) => unit !== is[at])
      throw new Defect(
        `${node.name} changed, from …${was.slice(from - 40, from + 80)} to …${is.slice(from - 40, from + 80)}`
      )
    }
  }

  let shots = 0
  let worstMillis = 0
  let worstBatchMillis = 0
  const singles: Array<number> = []
  const volley = Effect.fnUntraced(function*(list: ReadonlyArray<Intruders.Shot>) {
    for (const { payload, to } of list) {
      yield* cluster.hub.inject(
        to,
        payload,
        kind === "hostile" ? Intruders.address : dice.pick(["nobody", "bystander"])
      )
    }
    const begun = measure()
    yield* cluster.advance(dice.pick([0, 1, 1, 2, 10]))
    const millis = measure() - begun
    shots += list.length
    if (list.length === 1) {
      worstMillis = Math.max(worstMillis, millis)
      singles.push(millis)
    } else if (list.length > 0) worstBatchMillis = Math.max(worstBatchMillis, millis)
  })

  for (let turn = 0; shots < settings.datagrams; turn++) {
    for (const sent of heard.splice(0)) intruder.hear(sent)
    age()
    const list: Array<Intruders.Shot> = [...intruder.answers()]
    for (let count = dice.pick([1, 32, 32, 64]); count > 0; count--) list.push(shot())
    yield* volley(list)
    if (!quiet && turn % 10 === 0) {
      // Life goes on.
      const name = dice.pick(Object.values(Capture.namespaces))
      const key = `key-${dice.below(60)}`
      const writer = dice.pick(nodes)
      writer.member.cache<unknown>(name).set(key, turn)
      ledger.noteHeld(writer)
    }
    if (turn % 4 === 0) look()
    if (turn % 40 === 0) { for (const node of nodes) readAll(node) }
  }
  yield* cluster.advance("1 second")
  look()
  const heapGrowthBytes = settings.heapBytes() - heapBefore
  const { operations, refused } = victim.member.localMetrics()

  yield* aftermath(cluster, nodes, observers)
  return {
    datagrams: shots,
    refused: difference(refused, metricsBefore.refused),
    operations: total(operations.in) - total(metricsBefore.operations.in),
    worstMillis,
    worstBatchMillis,
    medianMillis: singles.sort((a, b) => a - b)[singles.length >> 1] ?? 0,
    heapGrowthBytes
  }
})

type Counts = MemberMetrics["refused"]

const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0)

const difference = (after: Counts, before: Counts): Counts =>
  Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const).filter(([, count]) =>
      count > 0
    )
  )

/** The attacker is silent: it is removed, what differs is repaired, and what is written from now on arrives. */
const aftermath = Effect.fnUntraced(function*(
  cluster: Cluster.Cluster,
  nodes: ReadonlyArray<Cluster.Node>,
  observers: ReadonlyArray<Checkers.Observer>
) {
  yield* cluster.advance("60 seconds")
  const [full] = observers
  for (let patience = 0; patience < 6 && Checkers.differences(full).length > 0; patience++) {
    yield* cluster.advance("10 seconds")
  }
  Checkers.convergence(full)
  for (const { member, name } of nodes) {
    const others = member.members().length - 1
    if (others !== 1) throw new Defect(`${name} knows ${others} others after all`)
  }
  const [victim, bystander] = nodes.map(({ member }) => member.cache<string>(Capture.namespaces.full))
  victim.set("after all", "from the victim")
  bystander.set("at last", "from the bystander")
  yield* cluster.advance("3 seconds")
  if (bystander.get("after all") !== "from the victim" || victim.get("at last") !== "from the bystander") {
    throw new Defect("what is written afterwards does not arrive")
  }
  for (const { member, name } of nodes) {
    const { replica } = member.namespaces().get(Capture.namespaces.full) ?? {}
    if (replica !== undefined && Replica.peek(replica, "at last", replica.judgedMillis) === undefined) {
      throw new Defect(`${name} lost a write`)
    }
  }
})
