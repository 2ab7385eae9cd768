/** A small cluster to attack, and what must hold whatever is done to it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Options } from "../../../src/domain/Configuration.ts"
import * as Datagram from "../../../src/domain/Datagram.ts"
import type { Sent } from "../../../src/runtime/MemoryNetwork.ts"
import * as Checkers from "../../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"
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
      members: member.members().map(({ id }) => id).sort()
    }
  })

const refusedOf = (cluster: Cluster.Cluster): { [reason: string]: number } => {
  const sum: { [reason: string]: number } = {}
  for (const { member } of cluster.nodes()) {
    for (const [reason, count] of Object.entries(member.localMetrics().refused)) {
      sum[reason] = (sum[reason] ?? 0) + count
    }
  }
  return sum
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

/** What strangers were answered: nothing larger than what they sent, at most so many per id, member and second. */
export const answersAreSmall = (
  drawn: ReadonlyArray<Sent>,
  triggers: ReadonlyArray<{ readonly payload: Uint8Array }>,
  { perSecondMax }: { readonly perSecondMax: number }
): void => {
  const smallest = Math.min(...triggers.map(({ payload }) => payload.length))
  const ids = new Set(triggers.map(({ payload }) => Datagram.decodeHeader(payload)?.sender))
  const perSecond = new Map<string, number>()
  for (const { atMillis, from, payload } of drawn) {
    assert.isAtMost(payload.length, smallest, "no answer is larger than what drew it")
    const second = `${from} in second ${Math.floor(atMillis / 1_000)}`
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
  }
  for (const [second, count] of perSecond) assert.isAtMost(count, perSecondMax * ids.size, second)
}
