import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CoarseClockNode from "../../src/runtime/CoarseClockNode.ts"
import { start } from "./support/Loopback.ts"

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The system's clock as lookups read it, over a time that the test sets; counts looks at it. */
const coarse = Effect.gen(function*() {
  const world = { millis: 1_000, looks: 0 }
  const read = CoarseClockNode.of(yield* Clock.Clock)(() => {
    world.looks++
    return world.millis
  })
  return { world, read }
})

describe("the clock that lookups read", () => {
  it("is looked at each time while lookups are rare", () =>
    Effect.gen(function*() {
      const { read, world } = yield* coarse
      for (let at = 0; at < 100; at++) {
        world.millis += at % 10 === 0 ? 1 : 0
        assert.strictEqual(read(), world.millis)
      }
    }).pipe(Effect.runPromise))

  it("is shared by the lookups of a busy turn, and looked at again in the next", () =>
    Effect.gen(function*() {
      const { read, world } = yield* coarse
      for (let at = 0; at < 500; at++) read()
      assert.isBelow(world.looks, 50)
      world.millis += 1
      yield* Effect.promise(turn)
      assert.strictEqual(read(), world.millis)
    }).pipe(Effect.runPromise))

  it("is looked at again in a loop that lets nothing else run", () =>
    Effect.gen(function*() {
      const { read, world } = yield* coarse
      for (let at = 0; at < 500; at++) read()
      world.millis += 50
      let lookups = 0
      while (read() !== world.millis) lookups++
      assert.isBelow(lookups, 2_000)
    }).pipe(Effect.runPromise))

  it.effect("is looked at each time when the program provides it", () =>
    Effect.gen(function*() {
      const { read, world } = yield* coarse
      for (let at = 0; at < 500; at++) assert.strictEqual((world.millis++, read()), world.millis)
      assert.strictEqual(world.looks, 500)
    }))

  it("decides by the exact time what expires soon, also in a loop that lets nothing else run", async () => {
    const mccache = await start()
    try {
      const cache = mccache.cache<number>("expiry", { ttl: 0.02 })
      cache.set("key", 1)
      const expiresAt = cache.metadata("key")?.expiresAt ?? 0
      while (true) {
        const before = Date.now()
        if (cache.get("key") === undefined) break
        assert.isBelow(before, expiresAt, "an expired entry was read")
      }
      assert.isFalse(cache.has("key"))
    } finally {
      await mccache.close()
    }
  })
})
