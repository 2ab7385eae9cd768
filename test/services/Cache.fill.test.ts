/** `getOrSet` on a simulated cluster: rule 10 of the design's section 6, in every mode. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Mode } from "../../src/domain/Configuration.ts"
import type { Cache } from "../../src/services/Cache.ts"
import { fails, pair } from "./support/Pair.ts"

const modes: ReadonlyArray<Mode> = [0, 1, 2]

/** A computation that ends when it is told to; `runs` counts how often it began. */
const computation = <V>() => {
  let latest = Deferred.makeUnsafe<V, string>()
  const made = {
    runs: 0,
    compute: Effect.suspend(() => {
      made.runs++
      latest = Deferred.makeUnsafe<V, string>()
      return Deferred.await(latest)
    }),
    succeed: (value: V) => Deferred.succeed(latest, value),
    fail: (error: string) => Deferred.fail(latest, error)
  }
  return made
}

/** Starts it and lets it begin to compute. */
const begin = <V, E>(effect: Effect.Effect<V, E>) => Effect.tap(Effect.forkChild(effect), () => Effect.yieldNow)

describe("one computation", () => {
  it.effect("computes what is missing, stores it, and sends it to the other member", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair<number>()
      const { compute, succeed } = computation<number>()
      const filling = yield* begin(writer.getOrSet("k", compute))
      yield* cluster.advance("1 second")
      assert.isFalse(yield* writer.has("k"))
      yield* succeed(1)
      assert.strictEqual(yield* Fiber.join(filling), 1)
      assert.strictEqual(writer.getUnsafe("k"), 1)
      yield* cluster.advance("100 millis")
      assert.strictEqual(reader.getUnsafe("k"), 1)
      assert.strictEqual(yield* reader.getOrSet("k", Effect.die("computed what is there")), 1)
    }))

  it.effect("a stored undefined is there: nothing is computed", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      yield* writer.set("k", undefined)
      assert.isUndefined(yield* writer.getOrSet("k", Effect.die("computed what is there")))
    }))

  it.effect("many callers of a key share one computation, each key has its own", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      const one = computation<number>()
      const other = computation<number>()
      const first = yield* begin(writer.getOrSet("k", one.compute))
      const rest = yield* begin(Effect.all(
        Array.from({ length: 5 }, () => writer.getOrSet("k", one.compute)),
        { concurrency: "unbounded" }
      ))
      const elsewhere = yield* begin(writer.getOrSet("l", other.compute))
      assert.deepStrictEqual([one.runs, other.runs], [1, 1])
      yield* one.succeed(1)
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.deepStrictEqual(yield* Fiber.join(rest), [1, 1, 1, 1, 1])
      assert.isUndefined(elsewhere.pollUnsafe())
      yield* other.succeed(2)
      assert.strictEqual(yield* Fiber.join(elsewhere), 2)
    }))

  it.effect("a failure reaches everyone who waited, and is not cached", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      const { compute, fail } = computation<number>()
      const first = yield* begin(Effect.flip(writer.getOrSet("k", compute)))
      const second = yield* begin(Effect.flip(writer.getOrSet("k", compute)))
      yield* fail("no")
      assert.strictEqual(yield* Fiber.join(first), "no")
      assert.strictEqual(yield* Fiber.join(second), "no")
      assert.isFalse(yield* writer.has("k"))
      assert.strictEqual(yield* writer.getOrSet("k", Effect.succeed(2)), 2)
      assert.strictEqual(writer.getUnsafe("k"), 2)
    }))

  it.effect("when the one who computes is interrupted, one of those who wait computes", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      const made = computation<number>()
      const first = yield* begin(writer.getOrSet("k", made.compute))
      const rest = yield* begin(Effect.all(
        [writer.getOrSet("k", made.compute), writer.getOrSet("k", made.compute)],
        { concurrency: "unbounded" }
      ))
      yield* Fiber.interrupt(first)
      yield* Effect.yieldNow
      assert.strictEqual(made.runs, 2)
      yield* made.succeed(3)
      assert.deepStrictEqual(yield* Fiber.join(rest), [3, 3])
    }))

  it.effect("one who waits may be interrupted without harm to the others", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      const { compute, succeed } = computation<number>()
      const first = yield* begin(writer.getOrSet("k", compute))
      const second = yield* begin(writer.getOrSet("k", compute))
      yield* Fiber.interrupt(second)
      yield* succeed(1)
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.strictEqual(writer.getUnsafe("k"), 1)
    }))

  it.effect("the ttl counts from the end of the computation", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair<number>()
      const { compute, succeed } = computation<number>()
      const filling = yield* begin(writer.getOrSet("k", compute, { ttl: 10 }))
      yield* cluster.advance("30 seconds")
      yield* succeed(1)
      yield* Fiber.join(filling)
      yield* cluster.advance(9_999)
      assert.strictEqual(writer.getUnsafe("k"), 1)
      assert.strictEqual(reader.getUnsafe("k"), 1)
      yield* cluster.advance(1)
      assert.isFalse(yield* writer.has("k"))
      assert.isFalse(yield* reader.has("k"))
    }))

  it.effect("a bad key or ttl fails before anything is computed", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair()
      let runs = 0
      const compute = Effect.sync(() => ++runs)
      yield* fails(writer.getOrSet("", compute), "InvalidKey")
      yield* fails(writer.getOrSet("k", compute, { ttl: -1 }), "InvalidConfig")
      assert.strictEqual(runs, 0)
      assert.strictEqual(yield* writer.getOrSet("k", compute), 1)
    }))

  it.effect("a result that cannot be stored fails everyone who waits, and the key is free again", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<unknown>({ value: Schema.String, size: 1_024 })
      yield* fails(writer.getOrSet("k", Effect.succeed(1)), "Unencodable")
      yield* fails(writer.getOrSet("k", Effect.succeed("x".repeat(1_024))), "ValueTooLarge")
      const { compute, succeed } = computation<unknown>()
      const waiting = yield* begin(Effect.all(
        [1, 2].map(() => Effect.exit(writer.getOrSet("k", compute))),
        { concurrency: "unbounded" }
      ))
      yield* succeed(3)
      assert.isTrue((yield* Fiber.join(waiting)).every(Exit.isFailure))
      assert.strictEqual(yield* writer.getOrSet("k", Effect.succeed("fine")), "fine")
    }))

  it.effect("a computation that dies leaves the key free", () =>
    Effect.gen(function*() {
      const { writer } = yield* pair<number>()
      const died = yield* Effect.exit(writer.getOrSet("k", Effect.die("boom")))
      assert.isTrue(Exit.hasDies(died))
      assert.strictEqual(yield* writer.getOrSet("k", Effect.succeed(1)), 1)
    }))
})

/** What happens while a value is computed, at the member that computes or at the other one, and what is there then. */
const meanwhile: ReadonlyArray<
  readonly [what: string, happen: (cache: Cache<string>) => Effect.Effect<unknown, unknown>, after: string | undefined]
> = [
  ["a set", (cache) => cache.set("k", "set"), "set"],
  ["a delete", (cache) => cache.delete("k"), undefined],
  ["a set and a delete", (cache) => Effect.andThen(cache.set("k", "set"), cache.delete("k")), undefined],
  ["a set that expired", (cache) => cache.set("k", "set", { ttl: 0.01 }), undefined],
  ["a clear", (cache) => cache.clear(), undefined]
]

describe.each(modes)("what happens while it computes wins, in mode %d", (mode) => {
  for (const [what, happen, after] of meanwhile) {
    it.effect(`${what} here: the result is returned and not stored`, () =>
      Effect.gen(function*() {
        const { cluster, writer } = yield* pair<string>({ mode })
        const { compute, succeed } = computation<string>()
        const filling = yield* begin(writer.getOrSet("k", compute))
        yield* happen(writer)
        yield* cluster.advance("3 seconds")
        yield* succeed("computed")
        assert.strictEqual(yield* Fiber.join(filling), "computed")
        assert.strictEqual(writer.getUnsafe("k"), after)
        yield* cluster.advance("3 seconds")
        assert.strictEqual(writer.getUnsafe("k"), after)
      }))

    it.effect(`${what} at the other member: the result is returned and not stored`, () =>
      Effect.gen(function*() {
        const { cluster, reader, writer } = yield* pair<string>({ mode })
        const { compute, succeed } = computation<string>()
        const filling = yield* begin(writer.getOrSet("k", compute))
        yield* cluster.advance(5)
        yield* happen(reader)
        yield* cluster.advance("3 seconds")
        yield* succeed("computed")
        assert.strictEqual(yield* Fiber.join(filling), "computed")
        assert.strictEqual(writer.getUnsafe("k"), mode === 1 ? after : undefined)
        yield* cluster.advance("3 seconds")
        assert.strictEqual(writer.getUnsafe("k"), mode === 1 ? after : undefined)
        assert.strictEqual(reader.getUnsafe("k"), after)
      }))

    it.effect(`${what} at the other member that arrives after the result: it wins all the same`, () =>
      Effect.gen(function*() {
        const { cluster, reader, writer } = yield* pair<string>({ mode })
        const { compute, succeed } = computation<string>()
        const filling = yield* begin(writer.getOrSet("k", compute))
        yield* cluster.advance(5)
        cluster.partition([["a"], ["b"]])
        yield* happen(reader)
        yield* cluster.advance(100)
        yield* succeed("computed")
        assert.strictEqual(yield* Fiber.join(filling), "computed")
        assert.strictEqual(writer.getUnsafe("k"), "computed")
        cluster.heal()
        yield* cluster.advance("4 seconds")
        assert.strictEqual(writer.getUnsafe("k"), mode === 1 || mode === 0 && after !== undefined ? after : undefined)
        assert.strictEqual(reader.getUnsafe("k"), after)
      }))
  }

  it.effect("a clear of everything: the result is returned and not stored", () =>
    Effect.gen(function*() {
      const { b, cluster, writer } = yield* pair<string>({ mode })
      const { compute, succeed } = computation<string>()
      const filling = yield* begin(writer.getOrSet("k", compute))
      yield* b.mccache.clear()
      yield* cluster.advance("1 second")
      yield* succeed("computed")
      assert.strictEqual(yield* Fiber.join(filling), "computed")
      assert.deepStrictEqual(yield* writer.get("k"), Option.none())
    }))

  it.effect("a write of another key: the result is stored", () =>
    Effect.gen(function*() {
      const { cluster, reader, writer } = yield* pair<string>({ mode })
      const { compute, succeed } = computation<string>()
      const filling = yield* begin(writer.getOrSet("k", compute))
      yield* writer.set("other", "1")
      yield* reader.delete("another")
      yield* cluster.advance("1 second")
      yield* succeed("computed")
      yield* Fiber.join(filling)
      assert.strictEqual(writer.getUnsafe("k"), "computed")
      yield* cluster.advance("1 second")
      // In mode 2 values never travel, in mode 0 only to members that hold the key.
      assert.strictEqual(reader.getUnsafe("k"), mode === 1 ? "computed" : undefined)
      assert.strictEqual(writer.getUnsafe("k"), "computed")
    }))
})
