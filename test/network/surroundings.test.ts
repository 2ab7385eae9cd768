/** Clocks that disagree, small buffers, small packets, and addresses that come and go. */
import { assert } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import { all, type Driver } from "./support/Driver.ts"
import { measured, scenarios } from "./support/Scenario.ts"

const healMillis = 10_000

const settled = async (what: string, driver: Driver): Promise<void> => {
  await all(driver.players, (player) => player.rest())
  const took = await driver.coherent(healMillis)
  measured(`${what}: coherent after ${took} ms, ${driver.history.facts} facts`)
}

scenarios("surroundings", (scenario) => {
  const offsets = [0, 400, -400, 2_000, 0]

  scenario(
    "clocks 400 ms and 2 s off are corrected, and nothing is refused for good",
    { birth: (host) => ({ clockOffsetMillis: offsets[host] }) },
    async ({ driver, players }) => {
      await all(players, (player) => player.work())
      await sleep(10_000)
      for (const player of players) assert.strictEqual(await driver.flushed(player, "skewed"), 4)
      await settled("clocks 0, +400, -400, +2000, 0 ms", driver)
      const corrections = await Promise.all(
        players.map(async (player) => (await player.metrics()).coherence.clockCorrectionMillis)
      )
      measured(`clock corrections ${corrections.join(", ")} ms`)
      // All end within the bound of each other, by whatever clock.
      const clocks = corrections.map((correction, host) => correction + offsets[host])
      assert.isAtMost(Math.max(...clocks) - Math.min(...clocks), 500)
    }
  )

  scenario(
    "a member with the smallest receive buffer gets everything",
    { birth: (host) => host === 2 ? { options: { protocol: { receiveBufferBytes: 65_536 } } } : {} },
    async ({ driver, lan, players }) => {
      await all(players, (player) => player.work({ clears: 0, bytesMin: 100, bytesMax: 10_000 }))
      // While it does not read, nothing but its buffer takes what comes.
      await players[2].ask("stall", 100, 400)
      await sleep(10_000)
      await all(players, (player) => player.rest())
      await settled(`receive buffer of 64 KiB, ${lan.receiveBufferErrors(2)} dropped by the kernel`, driver)
      const { network } = await players[2].metrics()
      measured(`receive buffer of 64 KiB: credit ${network.creditDatagrams}, lost ${network.lost}`)
      for (const player of players) assert.isDefined(await driver.flushed(player, "small buffer"))
    }
  )

  scenario(
    "an interface that loses its address and gets it back is used again",
    {},
    async ({ driver, lan, players }) => {
      await all(players, (player) => player.work())
      await sleep(1_000)
      lan.address(1, false)
      await sleep(4_000)
      lan.address(1, true)
      await sleep(1_000)
      await settled("address lost for 4 s", driver)
      lan.address(1, false)
      await all(players, (player) => player.work({ seed: 7 }))
      await sleep(18_000)
      lan.address(1, true)
      await sleep(1_000)
      await settled("address lost for 18 s", driver)
      await driver.acquainted(players)
      assert.strictEqual(await driver.flushed(players[1], "address"), 4)
      assert.strictEqual(await driver.flushed(players[0], "address"), 4)
      await driver.coherent(healMillis)
    }
  )

  for (const packetMtu of [undefined, 1_232]) {
    scenario(
      `links with an MTU of 1280 carry packets of ${packetMtu ?? "the default size"}`,
      { mtuBytes: 1_280, ...packetMtu === undefined ? {} : { options: { packetMtu } } },
      async ({ driver, players }) => {
        await all(players, (player) => player.work({ apertureMillis: 100, bytesMin: 100, bytesMax: 60_000, clears: 0 }))
        await sleep(3_000)
        for (const player of players) assert.strictEqual(await driver.flushed(player, "narrow", 30), 4)
        await settled(`MTU 1280, packets of ${packetMtu ?? "default"}`, driver)
        const { network } = await players[0].metrics()
        measured(`MTU 1280: ${network.bytesIn} bytes in, lost ${network.lost}, failures ${network.sendFailures}`)
      }
    )
  }
})
