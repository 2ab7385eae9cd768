/** Processes that are killed, stopped and started again share one cache all the same. */
import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { coherent, eventually, group, withChildren } from "./support/Children.ts"

for (
  const [how, cryptoKey] of [["without a key", undefined], [
    "with a key",
    randomBytes(32).toString("base64url")
  ]] as const
) {
  describe(`three processes ${how}`, () => {
    it("see each other's writes, deletes and clears", () =>
      withChildren(async (start) => {
        const options = { ...group(), cryptoKey }
        const [a, b, c] = [await start(options), await start(options), await start(options)]
        await a.ask("set", "x", { name: "Ada", at: new Date(0), tags: new Set(["a"]), big: 7n })
        for (const each of [b, c]) {
          const seen = await eventually(() => each.ask("get", "x"), (value) => value !== undefined, 2_000)
          assert.deepStrictEqual(seen, { name: "Ada", at: new Date(0), tags: new Set(["a"]), big: 7n })
        }
        assert.isTrue(await b.ask("delete", "x"))
        for (const each of [a, c]) await eventually(() => each.ask("size"), (size) => size === 0, 2_000)
        for (const [index, each] of [a, b, c].entries()) await each.ask("set", `from-${index}`, index)
        await coherent([a, b, c], 3, 2_000)
        await c.ask("clear")
        for (const each of [a, b]) await eventually(() => each.ask("size"), (size) => size === 0, 2_000)
      }))

    it("go on when one is killed, and one that is started again catches up", () =>
      withChildren(async (start) => {
        const options = { ...group(), cryptoKey, cacheMax: 5_000 }
        const [a, b, c] = [await start(options), await start(options), await start(options)]
        await a.ask("fill", 1_000, 100)
        await coherent([a, b, c], 1_000, 5_000)
        c.signal("SIGKILL")
        await b.ask("set", "after", "the kill")
        await eventually(() => a.ask("get", "after"), (value) => value === "the kill", 2_000)
        await a.ask("delete", "key-1")
        const again = await start(options)
        assert.strictEqual(await again.ask("size"), 1_000)
        assert.isUndefined(await again.ask("get", "key-1"))
        await coherent([a, b, again], 1_000, 5_000)
      }))

    it("bring one that was stopped for 8 s up to date, and nothing that was removed comes back", () =>
      withChildren(async (start) => {
        const options = { ...group(), cryptoKey, cacheMax: 5_000 }
        const [a, b, c] = [await start(options), await start(options), await start(options)]
        await a.ask("fill", 500, 100)
        await coherent([a, b, c], 500, 5_000)
        c.signal("SIGSTOP")
        await a.ask("delete", "key-1")
        await b.ask("set", "key-2", "new")
        await sleep(4_000)
        await a.ask("clear")
        await b.ask("set", "key-3", "after the clear")
        await sleep(4_000)
        c.signal("SIGCONT")
        await coherent([a, b, c], 1, 8_000)
        for (const each of [a, b, c]) assert.deepStrictEqual(await each.ask("keys"), ["key-3"])
        // And it takes part again.
        await c.ask("set", "key-4", "from the one that was stopped")
        await coherent([a, b, c], 2, 5_000)
        await sleep(2_000)
        for (const each of [a, b, c]) assert.sameMembers(await each.ask("keys") as Array<string>, ["key-3", "key-4"])
      }))
  })
}
