/** One process of the demo: a member that does what the conductor (demo.ts) says over Node's IPC channel. */
import mimeDatabase from "mime-db/db.json" with { type: "json" }
import { open } from "../../src/standalone.ts"
import type { Command, Report } from "./conversation.ts"

/** What `mime-db` says of one media type, and who wrote it how often. */
interface MediaType {
  readonly [property: string]: unknown
  readonly version: number
}

const database: Record<string, object> = mimeDatabase
const types = Object.keys(database)

const mccache = await open({ cacheMax: 10_000, cacheSize: 64 * 1024 * 1024, cacheTtl: 0 })
const media = mccache.cache<MediaType>("media-types")
let traffic: NodeJS.Timeout | undefined
let version = 0

/** Random reads, updates and deletes, the same keys at every member, until told to stop. */
const startTraffic = (): void => {
  traffic = setInterval(() => {
    for (let count = 0; count < 10; count++) {
      const type = types[Math.floor(Math.random() * types.length)]
      const dice = Math.random()
      if (dice < 0.7) media.get(type)
      else if (dice < 0.95) media.set(type, { ...database[type], version: ++version })
      else media.delete(type)
    }
  }, 10)
}

const report = (): Report => {
  const { namespaces, network, propagation } = mccache.localMetrics()
  return {
    entries: media.size,
    checksum: media.checksum() ?? "",
    lookups: namespaces["media-types"].lookups,
    lost: network.lost,
    repaired: network.repaired,
    propagation
  }
}

const perform = async (command: Command): Promise<unknown> => {
  switch (command.do) {
    case "ready":
      return mccache.ready()
    case "load":
      // Every member loads its share of the keys, all at the same time.
      for (let index = command.share; index < types.length; index += command.of) {
        media.set(types[index], { ...database[types[index]], version: ++version })
      }
      return
    case "traffic":
      return startTraffic()
    case "quiet":
      clearInterval(traffic)
      return
    case "clear":
      return media.clear()
    case "report":
      return report()
    case "stamps":
      return [...media.keys()].map((type) => {
        const { crc, stamp } = media.metadata(type) ?? {}
        return [type, `${stamp?.clock} by ${stamp?.writer}, crc ${crc}`]
      })
    case "close":
      clearInterval(traffic)
      return mccache.close()
  }
}

process.on("message", (command: Command) => {
  perform(command).then(
    (answer) => process.connected && process.send?.({ id: command.id, answer }),
    (error) => process.send?.({ id: command.id, error: String(error) })
  )
})
// Without a conductor there is nothing left to do.
process.on("disconnect", () => process.exit())
process.send?.({ id: 0 })
