/**
 * A program of `node:cluster`: the primary and its workers each open McCache in one group. A worker is killed and replaced,
 * another one disconnects. Prints what it saw as one line of JSON.
 */
import cluster, { type Worker } from "node:cluster"
import { once } from "node:events"
import { open } from "../../../src/standalone.ts"
import { eventually, type Options } from "./Children.ts"

// Whatever becomes of the others, this ends.
setTimeout(() => process.exit(9), 60_000).unref()

const options: Options = JSON.parse(process.argv[2])
const mccache = await open(options)
const cache = mccache.cache<number>("n")
await mccache.ready()

if (cluster.isWorker) {
  process.on("message", () => process.send?.([...cache.entries()].sort()))
  process.on("disconnect", () => void mccache.close())
  cache.set(`worker ${cluster.worker?.id}`, process.pid)
  await mccache.flush()
  process.send?.("started")
} else {
  const fork = async (): Promise<Worker> => {
    const worker = cluster.fork()
    await once(worker, "message")
    return worker
  }
  const entriesOf = async (worker: Worker): Promise<unknown> => {
    const answer = once(worker, "message")
    worker.send("entries")
    return (await answer)[0]
  }
  /** When all the others hold what the primary holds. */
  const agreed = (workers: ReadonlyArray<Worker>): Promise<unknown> =>
    eventually(
      async () => [[...cache.entries()].sort(), ...await Promise.all(workers.map(entriesOf))],
      ([own, ...others]) => others.every((other) => JSON.stringify(other) === JSON.stringify(own)),
      10_000
    )
  const membersAre = (count: number): Promise<unknown> =>
    eventually(async () => mccache.members().length, (members) => members === count, 10_000)

  const [first, second] = await Promise.all([fork(), fork()])
  cache.set("primary", process.pid)
  await agreed([first, second])
  const labels = mccache.members().map(({ label }) => label)

  first.process.kill("SIGKILL")
  await once(first, "exit")
  await membersAre(2)
  const third = await fork()
  await agreed([second, third])
  cache.delete("primary")
  await agreed([second, third])

  second.disconnect()
  const [code] = await once(second, "exit")
  await membersAre(2)
  await agreed([third])

  console.log(JSON.stringify({
    primary: process.pid,
    workers: [first, second, third].map((worker) => worker.process.pid),
    labels,
    code,
    entries: [...cache.entries()].sort()
  }))
  third.disconnect()
  await mccache.close()
}
