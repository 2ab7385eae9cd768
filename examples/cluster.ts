/**
 * Three workers of `node:cluster` share one cache: what one of them computed, the others find.
 *
 * Run: `node examples/cluster.ts` (in a clone of the repository after `npm run build`).
 */
import { open } from "mccache/standalone"
import cluster from "node:cluster"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"

const workerCount = 3
const requestCount = 100
const keyCount = 30

// The same in the primary and in the workers: each process is a member, none is a server.
const mccache = await open({
  cluster: "example-cluster",
  interface: "127.0.0.1",
  multicastIp: process.env.MCCACHE_MULTICAST_IP ?? "224.0.0.3:4503"
})
// `getOrSet` computes a key once at a time in a process; two processes may still compute the same one at the same moment.
// With `latest` one of the two results, which are equal, stays. By default both would give way.
const squares = mccache.cache<number>("squares", { collision: "latest" })
// Caught up with the members that are already there.
await mccache.ready()

/** What a worker does all day: here 100 requests for random keys. Answers how many it had to compute itself. */
const work = async (): Promise<number> => {
  let computed = 0
  for (let request = 0; request < requestCount; request++) {
    const key = Math.floor(Math.random() * keyCount)
    await squares.getOrSet(key, async () => {
      computed++
      await sleep(20)
      return key ** 2
    })
  }
  // Resolves when all the others have what was computed here.
  await mccache.flush()
  return computed
}

if (cluster.isPrimary) {
  // A worker that failed would never answer.
  cluster.on("exit", (_worker, code) => code === 0 || process.exit(1))
  const workers = Array.from({ length: workerCount }, () => cluster.fork())
  const counts = await Promise.all(workers.map(async (worker) => {
    const [computed] = await once(worker, "message")
    console.log(`worker ${worker.id}: ${requestCount} requests, ${computed} computed`)
    return Number(computed)
  }))
  const total = counts.reduce((sum, count) => sum + count, 0)
  console.log(`${squares.size} values were computed ${total} times; without sharing each worker would compute its own`)

  // Every member answers for itself, the primary too.
  const { answers, missing } = await mccache.clusterChecksum({ name: "squares" })
  for (const { answer, label } of answers) console.log(`${label} holds ${answer}`)
  const same = missing.length === 0 && new Set(answers.map(({ answer }) => answer)).size === 1
  console.log(`${answers.length} members hold ${same ? "the same" : "different things"}`)

  for (const worker of workers) worker.disconnect()
  await mccache.close()
} else {
  // When the primary lets its worker go, or is gone.
  process.once("disconnect", () => void mccache.close())
  process.send?.(await work())
}
