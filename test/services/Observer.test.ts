/** A member that looks and writes without opening anything, and members that have a namespace open with other options. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { NamespaceOptions } from "../../src/domain/NamespaceOptions.ts"
import type { Write } from "../../src/domain/Operation.ts"
import type { Cluster } from "../../src/runtime/testing/Cluster.ts"
import { pair } from "./support/Pair.ts"

/** A pair, and a third member with nothing open. */
const watched = Effect.fnUntraced(function*(options: NamespaceOptions = {}) {
  const both = yield* pair<string>(options)
  const observer = yield* both.cluster.join("observer")
  yield* both.cluster.advance("2 seconds")
  return { ...both, ...observer.member, observer: observer.member.observer, node: observer }
})

/** Answers of what waits for others, while time passes. */
const whileTimePasses = <A, E>(
  cluster: Cluster,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* cluster.advance("3 seconds")
    return yield* Fiber.join(fiber)
  })

describe("an observer", () => {
  it.effect("reads a key where it is held, and holds nothing itself", () =>
    Effect.gen(function*() {
      const { cluster, node, observer, writer } = yield* watched()
      yield* writer.set("k", "v")
      yield* cluster.advance("1 second")
      const { answers, missing } = yield* whileTimePasses(cluster, observer.copies({ name: "n", key: "k" }))
      assert.deepStrictEqual(missing, [])
      const statuses = answers.map(({ answer, label }) => [label, answer.status, answer.copies.length])
      assert.deepStrictEqual(statuses, [["observer:3", "closed", 0], ["a:1", "ok", 1], ["b:2", "ok", 1]])
      assert.strictEqual(node.member.namespaces().size, 0)
    }))

  it.effect("lists all that a member holds, numbers and texts apart", () =>
    Effect.gen(function*() {
      const { cluster, observer, writer } = yield* watched()
      for (let index = 0; index < 200; index++) yield* writer.set(index % 2 === 0 ? index : `${index}`, "v")
      yield* writer.delete(0)
      yield* cluster.advance("1 second")
      const { answers } = yield* whileTimePasses(cluster, observer.listings({ name: "n", node: "b:2" }))
      const items = answers.flatMap(({ answer }) => answer.items)
      assert.strictEqual(items.length, 200)
      assert.strictEqual(items.filter(({ kind }) => kind === 0).length, 199)
      assert.strictEqual(items.filter(({ key }) => typeof key === "string").length, 100)
    }))

  it.effect("names who does not answer", () =>
    Effect.gen(function*() {
      const { cluster, observer } = yield* watched()
      cluster.pause("b")
      const { answers, missing } = yield* whileTimePasses(
        cluster,
        observer.listings({ name: "n", timeout: "2 seconds" })
      )
      assert.deepStrictEqual(missing, ["b:2"])
      assert.deepStrictEqual(answers.map(({ label }) => label), ["observer:3", "a:1"])
      cluster.resume("b")
    }))

  it.effect("overhears what others write, until it stops", () =>
    Effect.gen(function*() {
      const { cluster, observer, reader, writer } = yield* watched()
      const heard: Array<Write> = []
      const stop = observer.overhear((write) => void heard.push(write))
      yield* writer.set("k", "v")
      yield* cluster.advance("1 second")
      yield* reader.delete("k")
      yield* cluster.advance("1 second")
      yield* writer.clear()
      yield* cluster.advance("1 second")
      stop()
      yield* writer.set("k", "w")
      yield* cluster.advance("1 second")
      assert.deepStrictEqual(heard.map(({ _tag, namespace }) => [_tag, namespace]), [
        ["PUT", "n"],
        ["DEL", "n"],
        ["CLEAR", "n"]
      ])
    }))

  it.effect("writes above the clock that it names, and a flush tells when all have it", () =>
    Effect.gen(function*() {
      const { cluster, node, observer, reader, writer } = yield* watched()
      cluster.node("a").skew(100)
      yield* writer.set("k", "v")
      yield* cluster.advance("1 second")
      const metadata = Option.getOrThrow(yield* writer.metadata("k"))
      const core = observer.detached("n", {}, metadata.stamp.clock)
      core.set("k", "w")
      core.set("l", "x")
      yield* whileTimePasses(cluster, node.member.flush())
      assert.deepStrictEqual(yield* reader.get("k"), Option.some("w"))
      assert.deepStrictEqual(yield* writer.get("l"), Option.some("x"))
      assert.isAbove(Option.getOrThrow(yield* writer.metadata("k")).stamp.clock, metadata.stamp.clock)
      core.delete("k")
      yield* whileTimePasses(cluster, node.member.flush())
      assert.deepStrictEqual(yield* reader.get("k"), Option.none())
    }))

  it.effect("is no donor, and leaves nothing behind but what it wrote", () =>
    Effect.gen(function*() {
      const { cluster, node, observer, writer } = yield* watched()
      observer.detached("n", {}, 0).set("k", "w")
      yield* whileTimePasses(cluster, node.member.flush())
      assert.deepStrictEqual(node.member.localMetrics().namespaces, {})
      yield* cluster.leave("observer")
      const late = yield* cluster.join("late")
      const cache = yield* late.mccache.cache<string>("n")
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(yield* cache.get("k"), Option.some("w"))
      assert.strictEqual((yield* cache.checksum()) ?? "", yield* writer.checksum())
    }))
})

describe("members with other options", () => {
  it.effect("are told by name, with the settings, on both sides", () =>
    Effect.gen(function*() {
      const { a, b } = yield* pair<string>({ max: 10, ttl: 60 }, { reader: { max: 20, ttl: 60 } })
      const [, ofA] = yield* a.mccache.members
      const [, ofB] = yield* b.mccache.members
      assert.deepStrictEqual(ofA.differences, [{ namespace: "n", setting: "max", ours: "10", theirs: "20" }])
      assert.deepStrictEqual(ofB.differences, [{ namespace: "n", setting: "max", ours: "20", theirs: "10" }])
    }))

  it.effect("that opened apart are told of what separates them", () =>
    Effect.gen(function*() {
      const { a, b, cluster } = yield* pair<string>()
      cluster.partition([["a"], ["b"]])
      yield* cluster.advance("20 seconds")
      yield* a.mccache.cache("m", { mode: 1 })
      yield* b.mccache.cache("m", { mode: 2 })
      cluster.heal()
      yield* cluster.advance("5 seconds")
      const [, ofA] = yield* a.mccache.members
      assert.deepStrictEqual(ofA.differences, [
        { namespace: "m", setting: "mode", ours: "1", theirs: "2" },
        { namespace: "m", setting: "eviction", ours: "updated", theirs: "used" }
      ])
    }))
})
