/** A process or a worker thread of its own with one open McCache, which does what its parent says. */
import { createHash } from "node:crypto"
import { parentPort } from "node:worker_threads"
import { open } from "../../../src/standalone.ts"
import type { Answer, Options, Question } from "./Children.ts"

// Whatever becomes of the parent, this ends.
setTimeout(() => process.exit(9), 120_000).unref()

const options: Options = JSON.parse(process.argv[2])
const mccache = await open(options)
const cache = mccache.cache<unknown>("n")

const text = (index: number, bytes: number): string => `${index}:`.padEnd(bytes, "abcdefghij")

const perform = async ({ args, name }: Question): Promise<unknown> => {
  const [first, second, third] = args
  switch (name) {
    case "set":
      return void cache.set(String(first), second)
    case "get":
      return cache.get(String(first))
    case "delete":
      return cache.delete(String(first))
    case "clear":
      return cache.clear()
    case "size":
      return cache.size
    case "checksum":
      return cache.checksum()
    case "keys":
      return [...cache.keys()]
    case "metrics":
      return mccache.localMetrics()
    case "members":
      return mccache.members()
    case "checksumAt":
      return mccache.clusterChecksum({ name: "n", node: String(first) })
    case "clearAt":
      return mccache.clear({ node: String(first) })
    case "id":
      return mccache.id
    // Nothing else happens in this thread until the shared word is no longer 0.
    case "stall":
      if (first instanceof Int32Array) Atomics.wait(first, 0, 0, 30_000)
      return undefined
    case "ready":
      return mccache.ready()
    case "flush":
      return mccache.flush({ timeout: Number(first) })
    case "close":
      return mccache.close()
    case "rss":
      return process.memoryUsage().rss
    // So many keys, each with a value of so many bytes, so many times, without a pause.
    case "fill": {
      const keys = Number(first)
      for (let index = 0; index < keys * Number(third ?? 1); index++) {
        cache.set(`key-${index % keys}`, text(index, Number(second)))
      }
      return Date.now()
    }
    // When this member has the checksum, or gives up.
    case "until": {
      const deadline = Date.now() + Number(second)
      // Counting is cheap, hashing 100,000 entries is not: it would hold up what it waits for.
      const size = Number(String(first).split("-")[0])
      while (Date.now() < deadline) {
        if (cache.size === size && cache.checksum() === first) return Date.now()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return undefined
    }
    // A hash of the contents themselves, not of stamps.
    case "content": {
      const hash = createHash("sha256")
      for (const key of [...cache.keys()].map(String).sort()) hash.update(`${key}=${String(cache.get(key))}\n`)
      return hash.digest("hex")
    }
    default:
      throw new Error(`There is no ${name}.`)
  }
}

const send = (answer: Answer): void => {
  if (parentPort !== null) parentPort.postMessage(answer)
  else if (process.connected) process.send?.(answer)
}

const onQuestion = (question: Question): void =>
  void perform(question).then(
    (value) => send({ id: question.id, value }),
    (error) => send({ id: question.id, error: String(error) })
  ).finally(() => {
    // Like a program that has nothing left to do: after `close` a thread ends by itself, or the test sees that it does not.
    if (question.name === "close") parentPort?.unref()
  })

if (parentPort === null) process.on("message", onQuestion)
else parentPort.on("message", onQuestion)
process.on("disconnect", () => process.exit())
send({ id: 0 })
