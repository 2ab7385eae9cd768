/** One member in a process of its own: does what the driver says line by line, and tells all that it does and sees. */
import { createHash } from "node:crypto"
import { createInterface } from "node:readline"
import { open } from "../../../src/standalone.ts"
import type { Fact, Held, Line, Options, Question, Stamp, Work } from "./Conversation.ts"

interface Start {
  readonly options: Options
  /** Between two looks at everything; 0: never. */
  readonly lookMillis: number
  /** What of `on("change")` is told: what went is needed to know that nothing else is missing. */
  readonly tell: "changes" | "removals"
  readonly lifeMillis: number
}

const start: Start = JSON.parse(process.argv[2])
// Whatever becomes of the driver, this ends.
setTimeout(() => process.exit(9), start.lifeMillis).unref()

/** Between two reports, and how much of one may wait before looking pauses. */
const tellMillis = 20
const congestedBytes = 1_048_576

const mccache = await open(start.options)
const cache = mccache.cache<string>("n")
const facts: Array<Fact> = []
const last = new Map<string, string>()

const tell = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const report = (): void => {
  if (facts.length > 0) tell({ facts: facts.splice(0) })
}
const digestOf = (value: string): string => createHash("sha256").update(value).digest("hex").slice(0, 16)

/** The entry, all of it from one turn. */
const held = (key: string): Held | undefined => {
  const value = cache.peek(key)
  const metadata = cache.metadata(key)
  if (value === undefined || metadata === undefined) return undefined
  return { key, stamp: [metadata.stamp.clock, metadata.stamp.writer], crc: metadata.crc, digest: digestOf(value) }
}

/** Notes what a key reads as now, when that is something else than the last time. */
const see = (key: string): void => {
  const stamp = stampOf(key)
  const now = stamp?.join() ?? ""
  if ((last.get(key) ?? "") === now) return
  last.set(key, now)
  const entry = stamp === undefined ? undefined : held(key)
  facts.push(entry === undefined ? ["miss", key] : ["read", key, entry.stamp, entry.digest])
}

const look = (): void => {
  if (process.stdout.writableLength > congestedBytes) return
  const keys = new Set<string>(last.keys())
  for (const key of cache.keys()) keys.add(String(key))
  for (const key of keys) see(key)
}

const stampOf = (key: string): Stamp | undefined => {
  const stamp = cache.metadata(key)?.stamp
  return stamp === undefined ? undefined : [stamp.clock, stamp.writer]
}

const set = (key: string, value: string): Stamp | undefined => {
  cache.set(key, value)
  const stamp = stampOf(key)
  if (stamp !== undefined) facts.push(["set", key, stamp, digestOf(value)])
  see(key)
  return stamp
}

const remove = (key: string): boolean => {
  const stamp = stampOf(key)
  const was = cache.delete(key)
  if (stamp !== undefined) facts.push(["gone", key, stamp])
  see(key)
  return was
}

const clear = (): void => {
  const stamps = [...cache.keys()].map((key) => [String(key), stampOf(String(key))] as const)
  cache.clear()
  for (const [key, stamp] of stamps) {
    if (stamp !== undefined) facts.push(["gone", key, stamp])
  }
  look()
}

const getOrSet = async (key: string, value: string, millis: number): Promise<string> => {
  const result = await cache.getOrSet(key, async () => {
    await new Promise((resolve) => setTimeout(resolve, millis))
    return value
  })
  const entry = held(key)
  // What it computed is under a stamp from before; only when it was stored is it the value that is read now.
  if (entry?.digest === digestOf(value)) facts.push(["set", key, entry.stamp, entry.digest])
  see(key)
  return result
}

// ------------------------------------------------------------------------------------------------- work

let working: NodeJS.Timeout | undefined
let operations = 0
let written = 0

/** Mulberry32: the same work for the same seed. */
const randomOf = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}

const work = (plan: Work): void => {
  const random = randomOf(plan.seed)
  const step = (): void => {
    operations++
    const key = `k${Math.floor(random() * plan.keys)}`
    const dice = random()
    if (dice < plan.sets) {
      const bytes = plan.bytesMin + Math.floor(random() * (plan.bytesMax - plan.bytesMin))
      set(key, `${mccache.id}#${++written}:`.padEnd(bytes, "abcdefghij"))
    } else if (dice < plan.sets + plan.deletes) remove(key)
    else if (dice < plan.sets + plan.deletes + plan.clears) clear()
    else {
      cache.get(key)
      see(key)
    }
  }
  working = setInterval(step, plan.apertureMillis)
}

// ----------------------------------------------------------------------------------------------- answers

const perform = async ({ args, name }: Question): Promise<unknown> => {
  const [first, second, third] = args
  switch (name) {
    case "set":
      return set(String(first), String(second))
    case "delete":
      return remove(String(first))
    case "clear":
      return clear()
    case "get":
      see(String(first))
      return cache.get(String(first))
    case "getOrSet":
      return getOrSet(String(first), String(second), Number(third))
    case "held":
      look()
      return [...cache.keys()].map((key) => held(String(key))).filter((entry) => entry !== undefined)
    case "flush":
      return mccache.flush({ timeout: Number(first) })
    case "ready":
      return mccache.ready()
    case "members":
      return mccache.members()
    case "metrics":
      return mccache.localMetrics()
    case "checksum":
      return cache.checksum()
    case "work":
      return work(first as Work)
    case "rest":
      clearInterval(working)
      return operations
    // The loop stands still for so long, so often.
    case "stall":
      return void setInterval(() => {
        const until = performance.now() + Number(first)
        while (performance.now() < until);
      }, Number(second))
    case "memory":
      globalThis.gc?.()
      return process.memoryUsage()
    case "close":
      clearInterval(working)
      clearInterval(looking)
      return mccache.close()
    default:
      throw new Error(`There is no ${name}.`)
  }
}

cache.on("change", ({ key, stamp, type }) => {
  if (type === "set" && start.tell === "removals") return
  facts.push(["change", String(key), type, [stamp.clock, stamp.writer]])
  see(String(key))
})
mccache.on("event", (event) => {
  if (event.type !== "clock") return
  const offsets = mccache.members().map((member) => Math.round(member.clockSkewMillis)).join(", ")
  facts.push(["event", "clock", `corrected by ${event.correctionMillis} ms; the members are off by ${offsets}`])
})
const looking = start.lookMillis > 0 ? setInterval(look, start.lookMillis) : undefined
setInterval(report, tellMillis)

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const question: Question = JSON.parse(line)
    perform(question).then(
      (value) => {
        // What was done before stands before the answer.
        report()
        tell({ id: question.id, value })
      },
      (error) => {
        report()
        tell({ id: question.id, error: String(error) })
      }
    )
  })
  .on("close", () => process.exit())
tell({ started: mccache.id })
