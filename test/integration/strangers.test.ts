/** Processes that speak in the same group but do not belong together: nothing of one gets into the other. */
import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import type { MemberMetrics } from "../../src/standalone.ts"
import { type Child, coherent, eventually, group, type Options, withChildren } from "./support/Children.ts"

const key = randomBytes(32).toString("base64url")
const otherKey = randomBytes(32).toString("base64url")

const refusedBy = async (child: Child): Promise<MemberMetrics["refused"]> =>
  (await child.ask("metrics") as MemberMetrics).refused

const membersOf = async (child: Child): Promise<number> => (await child.ask("members") as ReadonlyArray<unknown>).length

/** Everything that a stranger could do to others: the same key, another key, a delete, a clear. */
const meddle = async (stranger: Child): Promise<void> => {
  await stranger.ask("set", "ours", "from the stranger")
  await stranger.ask("set", "theirs", "from the stranger")
  await stranger.ask("delete", "kept")
  await stranger.ask("clear")
  await stranger.ask("set", "theirs", "from the stranger")
}

describe("a process in the group of two others", () => {
  for (
    const [who, ours, theirs, refusedHere, refusedThere] of [
      ["with another key", { cryptoKey: key }, { cryptoKey: otherKey }, "foreign", "foreign"],
      ["without the key", { cryptoKey: key }, {}, "unsealed", "unsealed"],
      [
        "of another cluster with the same key",
        { cryptoKey: key },
        { cryptoKey: key, cluster: "other" },
        "foreign",
        "foreign"
      ],
      ["of another cluster, all without a key", {}, { cluster: "other" }, "foreign", "foreign"]
    ] as const satisfies ReadonlyArray<readonly [string, Options, Options, string, string]>
  ) {
    it(`${who} gives nothing and gets nothing, and both sides count it`, () =>
      withChildren(async (start) => {
        const options = group()
        const [a, b, stranger] = await Promise.all([
          start({ ...options, ...ours }),
          start({ ...options, ...ours }),
          start({ ...options, ...theirs })
        ])
        await eventually(() => membersOf(a), (members) => members === 2, 5_000)
        await a.ask("set", "ours", "from a")
        await a.ask("set", "kept", "from a")
        await coherent([a, b], 2, 5_000)

        const before = await refusedBy(a)
        await meddle(stranger)
        // More came from the stranger after it had meddled: data, then a heartbeat or a sign of what it sent last.
        await eventually(() => refusedBy(a), (refused) => refused[refusedHere] >= before[refusedHere] + 2, 5_000)
        // What is written after that is here too, so what got in would be.
        await a.ask("set", "after", "from a")
        await coherent([a, b], 3, 5_000)

        for (const each of [a, b]) {
          assert.sameMembers(await each.ask("keys") as Array<string>, ["ours", "kept", "after"])
          assert.strictEqual(await each.ask("get", "ours"), "from a")
          assert.strictEqual(await membersOf(each), 2)
        }
        assert.deepStrictEqual(await stranger.ask("keys"), ["theirs"])
        assert.strictEqual(await membersOf(stranger), 1)
        assert.isAbove((await refusedBy(stranger))[refusedThere], 0)
      }))
  }
})
