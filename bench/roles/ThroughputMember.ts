/** McCache, through the facade. */
import { setTimeout as sleep } from "node:timers/promises"
import { open } from "../../src/standalone.ts"
import { keysOf, underWayMax } from "../support/ThroughputLoad.ts"
import { serveCarrier } from "../support/ThroughputRole.ts"

/** Any will do, as long as all have the same. */
const cryptoKey = Buffer.alloc(32, 7).toString("base64url")

serveCarrier(async ({ datagramBytes, lossPercent, members, port, sealed, valueBytes, writers }) => {
  const keys = writers * keysOf(0, valueBytes).length
  const mccache = await open({
    cluster: `bench-throughput-${port}`,
    multicastIp: `224.0.0.3:${port}`,
    interface: "127.0.0.1",
    cacheMax: keys,
    cacheSize: 2 * keys * (valueBytes + 32),
    ...(datagramBytes === 0 ? {} : { packetMtu: datagramBytes }),
    ...(sealed ? { cryptoKey } : {}),
    testMonkeyTantrum: lossPercent,
    logLevel: "error"
  })
  const cache = mccache.cache<Uint8Array>("bench")
  const bound = underWayMax(valueBytes)
  return {
    met: async () => {
      while (mccache.members().length < members) await sleep(5)
      await mccache.ready()
    },
    put: (key, value) => void cache.set(key, value),
    room: () => bound - cache.metrics().outbox,
    flush: async () => undefined,
    received: () => mccache.localMetrics().operations.in["PUT"] ?? 0,
    content: (key) => cache.peek(key),
    checksum: () => mccache.localChecksum("bench") ?? "",
    counts: () => {
      const { coherence, network, operations, restarts } = mccache.localMetrics()
      return {
        putsIn: operations.in["PUT"] ?? 0,
        putsOut: operations.out["PUT"] ?? 0,
        acksOut: operations.out["ACK"] ?? 0,
        datagramsIn: network.datagramsIn,
        datagramsOut: network.datagramsOut,
        lost: network.lost,
        repaired: network.repaired,
        overflow: network.receiveOverflow,
        repairedRecords: coherence.repairedRecords,
        restarts: Object.values(restarts).reduce((sum, count) => sum + count, 0)
      }
    }
  }
})
