/** Processes that are killed, stopped, restarted, and too busy. */
import { assert } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import { all, type Driver, type Player } from "./support/Driver.ts"
import { measured, scenarios } from "./support/Scenario.ts"

const healMillis = 10_000

const settled = async (what: string, driver: Driver): Promise<void> => {
  await all(driver.players, (player) => player.rest())
  const took = await driver.coherent(healMillis)
  measured(`${what}: coherent after ${took} ms, ${driver.history.facts} facts`)
}

/** Invariant 9: who says that it is ready holds what was flushed before it started. */
const readyTruthfully = async (player: Player, names: ReadonlyArray<string>): Promise<void> => {
  await player.ask("ready")
  const held = new Set((await player.held()).map(({ key }) => key))
  const lacking = names.filter((name) => !held.has(name)).length
  if (lacking === 0) return
  const members = (await player.members()).map(({ label, state }) => `${label} ${state}`).join(", ")
  assert.fail(`invariant 9: ${player.label} is ready and lacks ${lacking} of ${names.length}; it knows ${members}`)
}

/** So many keys that nobody changes any more, at all members. */
const kept = async (driver: Driver, writer: Player): Promise<ReadonlyArray<string>> => {
  const names = Array.from({ length: 300 }, (_, index) => `kept/${index}`)
  await all([writer], async () => {
    for (const name of names) await writer.set(name, name.repeat(20))
  })
  assert.strictEqual(await driver.flushed(writer, "kept"), driver.players.length - 1)
  return names
}

scenarios("processes", (scenario) => {
  scenario(
    "a member that is killed and started again catches up before it is ready",
    {},
    async ({ driver, players }) => {
      const names = await kept(driver, players[0])
      await all(players, (player) => player.work({ clears: 0 }))
      await sleep(1_000)
      const survivors = players.filter((player) => player !== players[3])
      await driver.kill(players[3])
      await sleep(1_000)
      const started = performance.now()
      const again = await driver.start(3)
      await readyTruthfully(again, names)
      measured(`killed and restarted: ready ${Math.round(performance.now() - started)} ms after its start`)
      await again.work({ clears: 0 })
      await sleep(1_000)
      await settled("killed and restarted", driver)
      assert.strictEqual(driver.players.length, survivors.length + 1)
    }
  )

  scenario("a member that was stopped for 20 s resurrects nothing", {}, async ({ driver, players }) => {
    const names = await kept(driver, players[0])
    await all(players, (player) => player.work())
    await sleep(1_000)
    players[1].signal("SIGSTOP")
    await players[0].rest()
    for (const name of names.slice(0, 100)) await players[0].ask("delete", name)
    await players[0].work({ seed: 99 })
    await sleep(20_000)
    players[1].signal("SIGCONT")
    await sleep(1_000)
    await settled("stopped for 20 s", driver)
    await driver.acquainted(players)
    assert.strictEqual(await driver.flushed(players[1], "awake"), 4)
    await driver.coherent(healMillis)
  })

  scenario("a storm of restarts loses nothing that was flushed", {}, async ({ driver, players }) => {
    const names = await kept(driver, players[0])
    await all(players, (player) => player.work({ clears: 0 }))
    const began = performance.now()
    const untruths: Array<string> = []
    let readies = 0
    await all([players[2], players[3], players[4]], async ({ host }) => {
      for (let round = 0; round < 5; round++) {
        const life = driver.players.find((player) => player.host === host)
        if (life !== undefined) await driver.kill(life)
        const next = await driver.start(host)
        await next.work({ clears: 0, seed: 100 * host + round })
        // It may be killed before it is ready, and must not say that it is when it is not.
        readyTruthfully(next, names).then(
          () => readies++,
          (error: unknown) => String(error).includes("invariant") && untruths.push(String(error))
        )
        await sleep(Math.max(0, (round + 1) * 2_000 - (performance.now() - began)))
      }
    })
    const took = Math.round(performance.now() - began)
    await all(driver.players, (player) => player.ask("ready"))
    assert.deepStrictEqual(untruths, [])
    await settled(`15 restarts in ${took} ms, ${readies} of them ready in time`, driver)
    const held = new Set((await driver.players[4].held()).map(({ key }) => key))
    assert.deepStrictEqual(names.filter((name) => !held.has(name)), [])
    // Those who were killed are forgotten in the end.
    await driver.acquainted(driver.players, 30_000)
  })

  scenario("a member whose loop stands still 50 ms of every 200 keeps up", {}, async ({ driver, players }) => {
    await players[2].ask("stall", 50, 200)
    await all(players, (player) => player.work())
    await sleep(8_000)
    for (const player of players) assert.isDefined(await driver.flushed(player, "busy"))
    await settled("50 ms stalls", driver)
    assert.deepStrictEqual(
      (await players[0].members()).map(({ state }) => state).filter((state) => state === "suspect"),
      []
    )
  })
})
