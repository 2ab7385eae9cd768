/** A key is changed in a running cluster, one member after the other, as the README says: section 9 of the design. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import type { Refusal } from "../../src/services/Counters.ts"
import * as Attacker from "./support/Attacker.ts"

const oldKey = Buffer.alloc(32, 2).toString("base64url")
const newKey = Buffer.alloc(32, 1).toString("base64url")
const names = ["a", "b", "c", "d", "e"]
/** How a datagram is refused that was sealed under a key that its receiver does not have, or none. */
const sealingRefusals: ReadonlyArray<Refusal> = ["foreign", "unauthentic", "unsealed"]

/** Members under load. */
const start = Effect.fnUntraced(function*(seed: number) {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 10_000 },
    faults: { loss: 0.05, duplication: 0.02, delay: { minMillis: 0.5, maxMillis: 8 } }
  })
  const attacker = Attacker.make(cluster)
  const observer = Checkers.observe(cluster, "n")
  const written = new Map<string, number>()
  const refused = new Map<string, number>()
  let flushes = 0

  const note = ({ member, name }: Cluster.Node): void => {
    const { refused: counts } = member.localMetrics()
    for (const reason of sealingRefusals) refused.set(`${reason} by ${name}`, counts[reason])
  }
  const join = Effect.fnUntraced(function*(name: string, cryptoKey: ReadonlyArray<string>) {
    ;(yield* cluster.join(name, { cryptoKey })).member.cache("n")
  })
  /** Everyone writes 50 times a second, and one flushes. */
  const work = Effect.fnUntraced(function*(rounds: number) {
    for (let round = 0; round < rounds; round++) {
      for (const { member, name } of cluster.nodes()) {
        const key = `${name}${written.size % 400}`
        written.set(key, (written.get(key) ?? 0) + 1)
        member.cache<number>("n").set(key, written.get(key) ?? 0)
      }
      const flusher = cluster.nodes()[round % cluster.nodes().length]
      yield* Effect.forkChild(
        Effect.tap(flusher.mccache.flush({ timeout: "30 seconds" }), () => Effect.sync(() => void flushes++))
      )
      yield* cluster.advance(20)
      if (round % 5 === 0) Checkers.look(observer)
      for (const node of cluster.nodes()) note(node)
    }
  })
  /** Restarts one member after the other with these keys. */
  const roll = Effect.fnUntraced(function*(cryptoKey: ReadonlyArray<string>) {
    for (const name of names) {
      yield* cluster.leave(name)
      yield* work(3)
      yield* join(name, cryptoKey)
      yield* work(17)
    }
  })
  return { attacker, cluster, join, observer, refused, roll, work, written, flushes: () => flushes }
})

describe("a rotation of the key", () => {
  it.effect("over five members under load loses nothing and refuses nothing; then the old key is nothing", () =>
    Effect.gen(function*() {
      const { attacker, cluster, flushes, join, observer, refused, roll, work, written } = yield* start(401)
      for (const name of names) yield* join(name, [oldKey])
      yield* cluster.advance("3 seconds")
      yield* work(20)
      for (const keys of [[oldKey, newKey], [newKey, oldKey], [newKey]]) yield* roll(keys)
      cluster.faults({})
      // A farewell may be lost: then a member is removed when it was not heard for a while.
      yield* cluster.advance("20 seconds")

      assert.deepStrictEqual([...refused].filter(([, count]) => count > 0), [])
      Checkers.convergence(observer)
      for (const { member, name } of cluster.nodes()) {
        const cache = member.cache<number>("n")
        for (const [key, value] of written) assert.strictEqual(cache.peek(key), value, `${key} at ${name}`)
        assert.lengthOf(member.members(), names.length)
      }
      assert.isAbove(flushes(), 250)

      const forger = Attacker.identity(Attacker.idOf(1), oldKey)
      const before = cluster.nodes().map(({ member }) => member.cache("n").checksum())
      for (let number = 1; number <= 50; number++) {
        yield* attacker.injectToAll(forger.control(Attacker.join()))
        yield* attacker.injectToAll(forger.data(number, Attacker.put(forger.id, `forged-${number}`, 2 ** 50)))
      }
      yield* cluster.advance("2 seconds")
      assert.deepStrictEqual(cluster.nodes().map(({ member }) => member.cache("n").checksum()), before)
      for (const { member } of cluster.nodes()) assert.strictEqual(member.localMetrics().refused.foreign, 100)
      assert.lengthOf(attacker.drawn, 0, "nobody answers")
    }).pipe(Effect.scoped))

  it.effect("that drops the old key before all have the new one is counted", () =>
    Effect.gen(function*() {
      const { cluster, join, refused, work } = yield* start(402)
      for (const name of names) yield* join(name, name === "a" ? [newKey] : [oldKey])
      yield* cluster.advance("3 seconds")
      yield* work(20)
      for (const name of names) assert.isAbove(refused.get(`foreign by ${name}`) ?? 0, 0)
    }).pipe(Effect.scoped))
})
