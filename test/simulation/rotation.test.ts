/**
 * The key of five members that work is changed under them, as the README has it: the new key is added last in every member's
 * list, then moved first, then the old one is dropped; each time one member after the other is closed and started again.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Checkers from "../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import * as History from "../../src/runtime/testing/History.ts"
import { Dice } from "../fuzz/Dice.ts"
import * as Attacker from "./support/Attacker.ts"
import * as Victims from "./support/Victims.ts"

const { key: newKey, oldKey } = Victims

const names = ["a", "b", "c", "d", "e"]
const steps = [oldKey, `${oldKey},${newKey}`, `${newKey},${oldKey}`, newKey]
const faults = { loss: 0.02, delay: { minMillis: 0.5, maxMillis: 6 } }

interface World {
  readonly attacker: Attacker.Attacker
  readonly cluster: Cluster.Cluster
  readonly dice: Dice
  readonly observer: Checkers.Observer
  /** The last value of each key, and every writer. */
  readonly written: Map<string, number>
  readonly writers: Set<string>
  /** By members that were closed since. */
  readonly refused: { [reason: string]: number }
}

const start = Effect.fnUntraced(function*(seed: number): Effect.fn.Return<World, unknown, Scope.Scope> {
  const cluster = yield* Cluster.make({
    seed,
    options: { cacheTtl: 0, cacheMax: 10_000, cacheSize: 10_000_000 },
    faults
  })
  const world: World = {
    attacker: Attacker.make(cluster),
    cluster,
    dice: new Dice(seed),
    observer: Checkers.observe(cluster, "n"),
    written: new Map(),
    writers: new Set(),
    refused: {}
  }
  for (const name of names) yield* enter(world, name, steps[0])
  yield* cluster.advance("3 seconds")
  return world
})

let last = 0

const enter = Effect.fnUntraced(function*(world: World, name: string, cryptoKey: string) {
  const { member } = yield* world.cluster.join(name, { cryptoKey })
  world.writers.add(member.id)
  member.cache("n")
})

const write = ({ dice, written }: World, { member, name }: Cluster.Node): void => {
  const key = `${name}-${dice.below(60)}`
  written.set(key, ++last)
  member.cache<number>("n").set(key, last)
}

/** Everyone writes what nobody else does, for a second; somebody flushes it meanwhile, and each flush succeeds and is true. */
const load = Effect.fnUntraced(function*(world: World) {
  const { cluster, dice, observer } = world
  for (let turn = 0; turn < 10; turn++) {
    for (const node of cluster.nodes()) write(world, node)
    yield* cluster.advance(20)
  }
  const writer = dice.pick(cluster.nodes())
  const barrier = History.barrier(observer.history, cluster, writer)
  const flushing = yield* Effect.forkChild(writer.mccache.flush())
  yield* cluster.advance("1 second")
  Checkers.look(observer)
  if (flushing.pollUnsafe() === undefined) yield* cluster.advance("5 seconds")
  const { left } = yield* Fiber.join(flushing)
  assert.isDefined(barrier)
  if (barrier !== undefined) History.passed(observer.history, cluster, barrier, left)
})

const collect = (world: World, name: string): void => {
  for (const [reason, count] of Object.entries(world.cluster.node(name).member.localMetrics().refused)) {
    world.refused[reason] = (world.refused[reason] ?? 0) + count
  }
}

/** One member after the other has the next keys, while all others work. */
const rotate = Effect.fnUntraced(function*(world: World, lists: ReadonlyArray<string>) {
  for (const cryptoKey of lists) {
    for (const name of names) {
      yield* load(world)
      collect(world, name)
      // Its last writes leave with it.
      for (let last = 0; last < 20; last++) write(world, world.cluster.node(name))
      yield* world.cluster.leave(name)
      yield* load(world)
      yield* enter(world, name, cryptoKey)
    }
  }
  yield* load(world)
})

const nothingRefused = ({ refused }: World): void => {
  assert.deepStrictEqual(Object.entries(refused).filter(([, count]) => count > 0), [])
}

describe("a live rotation of the key over five members", () => {
  for (const seed of [371, 372]) {
    it.effect(`seed ${seed}: loses nothing and refuses nothing, on a network that loses and reorders`, () =>
      Effect.gen(function*() {
        const world = yield* start(seed)
        const { cluster, observer } = world
        yield* rotate(world, steps.slice(1))
        cluster.faults({ delay: faults.delay })
        yield* cluster.advance("5 seconds")
        for (const name of names) collect(world, name)
        nothingRefused(world)
        Checkers.convergence(observer)
        Checkers.newest(observer, true)
        Victims.nothingInvented(cluster, observer, world.writers)
        Victims.noneRestarted(cluster)
        for (const { member, name } of cluster.nodes()) {
          assert.lengthOf(member.members(), names.length, name)
          const held = new Map(member.cache<number>("n").entries())
          const lost = [...world.written].filter(([key, value]) => held.get(key) !== value)
          assert.deepStrictEqual(lost, [], `${name} holds all`)
          assert.strictEqual(held.size, world.written.size)
          assert.lengthOf(Object.keys(member.localMetrics().openedByKey), 1, "the old key is gone")
        }
        assert.isAbove(cluster.hub.counters().lost, 0)
      }).pipe(Effect.scoped))
  }
})

describe("an attacker that has the old key", () => {
  it.effect("is nobody once the rotation is finished, and could have been a member before", () =>
    Effect.gen(function*() {
      const world = yield* start(374)
      const { attacker, cluster, observer } = world
      cluster.faults({ delay: faults.delay })
      yield* load(world)
      // As long as one key opens, who has it is a member: the test can see one.
      const before = yield* cluster.join("thief", { cryptoKey: oldKey })
      world.writers.add(before.member.id)
      before.member.cache("n")
      yield* cluster.advance("3 seconds")
      assert.lengthOf(cluster.node("a").member.members(), names.length + 1)
      yield* cluster.leave("thief")
      for (const cryptoKey of steps.slice(1)) {
        for (const name of names) {
          yield* cluster.leave(name)
          yield* enter(world, name, cryptoKey)
          yield* cluster.advance("1 second")
        }
        yield* load(world)
      }
      const recorded = [...attacker.captured]
      const sums = cluster.nodes().map(({ member }) => member.cache("n").checksum())
      const members = cluster.nodes().map(({ member }) => member.members().map(({ address, id }) => `${id} ${address}`))
      const refused = Victims.refusedOf(cluster)
      const attack = Effect.gen(function*() {
        let injected = 0
        for (const victim of cluster.nodes()) {
          const forgers = [Attacker.identity(victim.member.id, oldKey), Attacker.identity(Attacker.idOf(1), oldKey)]
          for (const receiver of cluster.nodes()) {
            if (receiver === victim) continue
            for (const forger of forgers) {
              for (
                const payload of [
                  forger.control(Attacker.join()),
                  forger.control(Attacker.pulse({ highest: 9_999, floor: 2 ** 50 })),
                  forger.control({ _tag: "LEAVE" }),
                  forger.control({ _tag: "CHALLENGE", nonce: new Uint8Array(16) }, receiver.member.id),
                  forger.control(Attacker.proof(new Uint8Array(16)), receiver.member.id),
                  forger.control({ _tag: "ACK", received: 9, settled: 9, credit: 64 }, receiver.member.id),
                  forger.control({ _tag: "RESET", request: 1, namespace: undefined }, receiver.member.id),
                  forger.data(1, Attacker.put(forger.id, "forged", 2 ** 40))
                ]
              ) {
                yield* attacker.inject(receiver.name, payload, victim.name)
                injected++
              }
            }
          }
        }
        return injected
      })
      const injected = yield* attack
      yield* cluster.advance("2 seconds")
      assert.strictEqual(Victims.refusedOf(cluster).foreign - refused.foreign, injected, "each is refused for its key")
      // What was sealed with the old key, and what was sealed with the new one by those that were closed since.
      yield* attacker.replay(recorded)
      const thief = yield* cluster.join("thief", { cryptoKey: oldKey })
      thief.member.cache<string>("n").set("forged", "by the thief")
      yield* cluster.advance("5 seconds")
      assert.strictEqual(thief.member.cache("n").size, 1, "the thief hears nothing")
      assert.lengthOf(thief.member.members(), 1)
      yield* cluster.kill("thief")
      assert.deepStrictEqual(cluster.nodes().map(({ member }) => member.cache("n").checksum()), sums)
      assert.deepStrictEqual(
        cluster.nodes().map(({ member }) => member.members().map(({ address, id }) => `${id} ${address}`)),
        members
      )
      Victims.nothingInvented(cluster, observer, world.writers)
      yield* load(world)
      Checkers.convergence(observer)
      Victims.noneRestarted(cluster)
    }).pipe(Effect.scoped))
})
