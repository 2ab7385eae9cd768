/** A small cluster to attack, and what must hold whatever is done to it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Options } from "../../../src/domain/Configuration.ts"
import * as Datagram from "../../../src/domain/Datagram.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import type { Sent } from "../../../src/runtime/MemoryNetwork.ts"
import * as Checkers from "../../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"
import type { Dice } from "../../fuzz/Dice.ts"
import * as Attacker from "./Attacker.ts"

export const key = Buffer.alloc(32, 1).toString("base64url")
export const oldKey = Buffer.alloc(32, 2).toString("base64url")

const names = ["a", "b", "c"]

/** Three members with a namespace `n`, and an attacker that heard them from the start. */
export const start = Effect.fnUntraced(function*(seed: number, options: Options = { cryptoKey: key }) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, ...options },
    faults: { delay: { minMillis: 0.5, maxMillis: 2 } }
  })
  const attacker = Attacker.make(cluster)
  const observer = Checkers.observe(cluster, "n")
  for (const name of names) (yield* cluster.join(name)).member.cache("n")
  yield* cluster.advance("3 seconds")
  return { cluster, attacker, observer }
})

let written = 0

/** Writes, deletes and a clear from everyone, and time to spread them. */
export const work = Effect.fnUntraced(function*(cluster: Cluster.Cluster, observer: Checkers.Observer, rounds = 60) {
  for (let round = 0; round < rounds; round++) {
    for (const { member, name } of cluster.nodes()) {
      const cache = member.cache<number>("n")
      cache.set(`${name}-${round}`, ++written)
      if (round % 3 === 0) cache.delete(`${name}-${round - 2}`)
    }
    if (round === 20) cluster.nodes()[0].member.cache("n").clear()
    yield* cluster.advance(20)
  }
  yield* cluster.advance("1 second")
  Checkers.look(observer)
})

/** What an attack must not change at a member. */
const stateOf = (cluster: Cluster.Cluster) =>
  cluster.nodes().map(({ member, name }) => {
    const namespace = member.namespaces().get("n")
    if (namespace === undefined) throw new Error(`${name} has not opened the namespace.`)
    const { coherence } = member.localMetrics()
    return {
      name,
      data: member.cache("n").checksum(),
      floor: namespace.replica.floor,
      forget: namespace.replica.forget,
      clock: coherence.clockCorrectionMillis,
      members: member.members().map(({ address, id }) => `${id} at ${address}`).sort()
    }
  })

/** How often members refused something, by reason. */
export const refusedOf = (cluster: Cluster.Cluster): { [reason: string]: number } => {
  const sum: { [reason: string]: number } = {}
  for (const { member } of cluster.nodes()) {
    for (const [reason, count] of Object.entries(member.localMetrics().refused)) {
      sum[reason] = (sum[reason] ?? 0) + count
    }
  }
  return sum
}

/** Nobody holds, received or remembers anything that was not written by one of these. */
export const nothingInvented = (
  cluster: Cluster.Cluster,
  observer: Checkers.Observer,
  writers: ReadonlySet<string>
): void => {
  const known = (writer: string): boolean => writers.has(writer) || writer === Stamp.collisionWriter
  for (const node of cluster.nodes()) {
    const namespace = node.member.namespaces().get("n")
    if (namespace === undefined) continue
    for (const { key, writer } of namespace.replica.records.values()) {
      assert.isTrue(known(writer), `${node.name} holds ${key} of ${writer}`)
    }
    for (const [key, { writer }] of observer.history.lifeOf(node, namespace).received) {
      assert.isTrue(known(writer), `${node.name} received ${key} of ${writer}`)
    }
  }
}

/** No fiber of any member was started anew. */
export const noneRestarted = (cluster: Cluster.Cluster): void => {
  for (const { member, name } of cluster.nodes()) {
    for (const [fiber, restarts] of Object.entries(member.localMetrics().restarts)) {
      assert.strictEqual(restarts, 0, `${fiber} of ${name} was started anew`)
    }
  }
}

/** The cluster works: a write of each is at all, `flush` says so and says the truth. */
export const works = Effect.fnUntraced(function*(cluster: Cluster.Cluster, observer: Checkers.Observer) {
  for (const { mccache, member, name } of cluster.nodes()) {
    member.cache<number>("n").set(`after-${name}`, ++written)
    const flushing = yield* Effect.forkChild(mccache.flush({ timeout: "2 seconds" }))
    yield* cluster.advance("3 seconds")
    const flushed = yield* Fiber.join(flushing)
    const others = cluster.nodes().length - 1
    assert.deepStrictEqual(flushed, { members: others, left: [] }, `${name} flushes`)
    for (const other of cluster.nodes()) {
      assert.strictEqual(other.member.cache("n").peek(`after-${name}`), written, `${other.name} has what ${name} wrote`)
    }
  }
  Checkers.look(observer)
  Checkers.convergence(observer)
})

/**
 * Attacks, and states that data, floor, clocks and members are as before, that what was refused has one of these reasons
 * and each of them occurs, that bounds hold, that no fiber was restarted, and that the cluster works. Returns what was refused.
 */
export const unharmed = Effect.fnUntraced(function*<E>(
  cluster: Cluster.Cluster,
  observer: Checkers.Observer,
  attack: Effect.Effect<void, E>,
  reasons: ReadonlyArray<string>,
  options: { readonly writes?: boolean } = {}
) {
  const before = stateOf(cluster)
  const refusedBefore = refusedOf(cluster)
  yield* attack
  yield* cluster.advance("2 seconds")
  Checkers.look(observer)
  const after = stateOf(cluster)
  if (options.writes === true) {
    assert.deepStrictEqual(after.map(({ members }) => members), before.map(({ members }) => members))
  } else assert.deepStrictEqual(after, before)
  const refused = Object.fromEntries(
    Object.entries(refusedOf(cluster)).map(([reason, count]) => [reason, count - refusedBefore[reason]] as const)
      .filter(([, count]) => count > 0)
  )
  assert.sameMembers(Object.keys(refused), [...reasons])
  noneRestarted(cluster)
  yield* works(cluster, observer)
  return { refused }
})

/**
 * What was answered to addresses that are nobody's. Of each sender's name, member and second at most one CHALLENGE and two
 * PROOFs, and four more of each at first; a CHALLENGE, which anything may draw, is no larger than the smallest that was sent. A PROOF answers a CHALLENGE.
 */
export const answersAreFew = (
  drawn: ReadonlyArray<Sent>,
  sent: ReadonlyArray<{ readonly payload: Uint8Array }>,
  seconds: number,
  limits: { readonly challenges: number; readonly proofs: number }
): void => {
  const ids = new Set(sent.map(({ payload }) => Datagram.decodeHeader(payload)?.sender))
  const perMember = new Map<string, { challenges: number; proofs: number }>()
  for (const { from, payload } of drawn) {
    const counts = perMember.get(from) ?? { challenges: 0, proofs: 0 }
    perMember.set(from, counts)
    if (payload.length <= challengeBytesMax) counts.challenges++
    else counts.proofs++
    assert.isAtMost(payload.length, proofBytesMax)
  }
  // A second more, as the first and the last are rarely whole; and at first some in quick succession, as one may be lost.
  const most = (perSecond: number): number => perSecond === 0 ? 0 : ((seconds + 1) * perSecond + 4) * ids.size
  for (const [member, { challenges, proofs }] of perMember) {
    assert.isAtMost(challenges, most(limits.challenges), `challenges of ${member}`)
    assert.isAtMost(proofs, most(limits.proofs), `proofs of ${member}`)
  }
}

/** A CHALLENGE, sealed; without a key it is 12 bytes shorter. */
const challengeBytesMax = 72
/** A PROOF of these members, whose labels are short, sealed. */
const proofBytesMax = 176

/** Thirty datagrams of any attack. */
export const mixed = (
  dice: Dice,
  attacker: Attacker.Attacker,
  cluster: Cluster.Cluster
): ReadonlyArray<Uint8Array> => {
  const any = (): Uint8Array => dice.pick(attacker.captured).payload
  const victim = (): string => dice.pick(cluster.nodes()).member.id
  const one = (): Uint8Array => {
    const forger = Attacker.identity(dice.chance(0.7) ? victim() : Attacker.idOf(dice.below(500)), dice.pick(keys))
    const named = (payload: Uint8Array): Uint8Array => dice.chance(0.5) ? Attacker.inTheNameOf(any(), payload) : payload
    switch (dice.below(9)) {
      case 0:
      case 1:
        return any()
      case 2:
        return dice.pick(Attacker.truncations(any()))
      case 3:
        return Attacker.splice(any(), any())
      case 4:
        return dice.pick(Attacker.alterations(any()))
      case 5:
        return named(forger.control({ _tag: "LEAVE" }))
      case 6: {
        const number = dice.below(200)
        return named(forger.control({ _tag: "ACK", received: number, settled: number, credit: 64 }, victim()))
      }
      case 7:
        return named(
          dice.chance(0.5)
            ? forger.control(Attacker.join())
            : forger.control({ _tag: "CHALLENGE", nonce: dice.bytes(16) }, victim())
        )
      default:
        return named(forger.data(dice.below(200) + 1, Attacker.put(forger.id, "forged", 2 ** 40)))
    }
  }
  return Array.from({ length: 30 }, one)
}

const keys = [oldKey, undefined]
