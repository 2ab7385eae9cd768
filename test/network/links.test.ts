/** Cables that are pulled, networks that fall apart, and links that carry one direction only. */
import { assert } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import { all, type Driver, eventually, type Player } from "./support/Driver.ts"
import { measured, scenarios } from "./support/Scenario.ts"

/** Four heartbeats, as invariant 1 has it, and room for a busy machine. */
const healMillis = 10_000

/** Everybody rests, agrees, knows everybody, and reaches everybody again. */
const settled = async (what: string, driver: Driver, players: ReadonlyArray<Player>): Promise<void> => {
  await all(players, (player) => player.rest())
  const took = await driver.coherent(healMillis)
  await driver.acquainted(players)
  const met = await driver.coherent(healMillis)
  for (const player of players) assert.strictEqual(await driver.flushed(player, "after"), players.length - 1)
  await driver.coherent(healMillis)
  measured(`${what}: coherent after ${took} ms, all acquainted ${met} ms later, ${driver.history.facts} facts`)
}

scenarios("links", (scenario) => {
  for (const downSeconds of [5, 20]) {
    scenario(
      `members agree again after one's interface was down for ${downSeconds} s`,
      {},
      async ({ driver, lan, players }) => {
        await all(players, (player) => player.work())
        await sleep(1_000)
        lan.link(2, false)
        await sleep(downSeconds * 1_000)
        lan.link(2, true)
        await sleep(500)
        await settled(`interface down ${downSeconds} s`, driver, players)
      }
    )
  }

  scenario("what one side of a partition deletes stays deleted when it heals", {}, async ({ driver, lan, players }) => {
    const names = Array.from({ length: 60 }, (_, index) => `before/${index}`)
    for (const name of names) await players[0].set(name, `${name} from before`)
    assert.strictEqual(await driver.flushed(players[0], "before"), 4)
    lan.split([0, 1])
    await sleep(500)
    // A third goes on the small side, a third on the large one, and a third stays.
    for (const name of names.slice(0, 20)) await players[1].ask("delete", name)
    for (const name of names.slice(20, 40)) await players[4].ask("delete", name)
    await all(players, (player) => player.work({ clears: 0 }))
    // While the others count as members nothing reached them; once they do not, flush tells of fewer.
    assert.isUndefined(await driver.flushed(players[0], "at once", 1))
    await sleep(18_000)
    assert.strictEqual(await driver.flushed(players[0], "small side", 5), 1)
    assert.strictEqual(await driver.flushed(players[2], "large side", 5), 2)
    lan.heal()
    await sleep(500)
    await settled("split 2/3 for 20 s", driver, players)
    for (const player of players) {
      const held = new Set((await player.held()).map(({ key }) => key))
      assert.deepStrictEqual(names.filter((name) => held.has(name)), names.slice(40))
    }
  })

  scenario("two work on while three of five are cut off", {}, async ({ driver, lan, players }) => {
    await all(players, (player) => player.work())
    await sleep(1_000)
    for (const host of [2, 3, 4]) lan.port(host, false)
    await eventually(
      () => Promise.all(players.map(async (player) => (await player.members()).length)),
      (counts) => counts.join() === "2,2,1,1,1",
      25_000
    )
    assert.strictEqual(await driver.flushed(players[0], "of two", 5), 1)
    assert.strictEqual(await driver.flushed(players[4], "of one", 5), 0)
    for (const host of [2, 3, 4]) lan.port(host, true)
    await sleep(500)
    await settled("three of five links down", driver, players)
  })

  scenario("a member that hears nobody misses nothing for good", {}, async ({ driver, lan, players }) => {
    await all(players, (player) => player.work())
    await sleep(1_000)
    lan.deafen(3, true)
    const before = (await players[3].metrics()).network.datagramsIn
    await sleep(2_000)
    const during = (await players[3].metrics()).network.datagramsIn
    await sleep(18_000)
    const end = (await players[3].metrics()).network.datagramsIn
    // The block works: a few may have been under way.
    assert.isBelow(end - during, 10, `of ${during - before} at the start`)
    assert.notStrictEqual(await driver.flushed(players[0], "to the deaf", 1), 4)
    lan.deafen(3, false)
    await sleep(500)
    await settled("deaf for 20 s", driver, players)
  })

  scenario("a member that nobody hears is heard in the end", {}, async ({ driver, lan, players }) => {
    await all(players, (player) => player.work({ clears: 0 }))
    await sleep(1_000)
    lan.mute(3, true)
    await sleep(500)
    await players[3].set("unheard", "of a mute")
    await sleep(2_000)
    const held = await players[0].held()
    assert.isFalse(held.some(({ key }) => key === "unheard"))
    // It hears the others, who do not answer it: whatever flush says of them, they do not hold what it wrote.
    assert.notStrictEqual(await driver.flushed(players[3], "of the mute", 1), 4)
    await sleep(17_000)
    lan.mute(3, false)
    await sleep(500)
    await settled("mute for 20 s", driver, players)
    assert.isTrue((await players[0].held()).some(({ key }) => key === "unheard"))
  })
})
