/**
 * What a cluster costs as it grows: simulated clusters of several sizes, in virtual time, and the traffic of each case.
 *
 *     npm run scale                                   10, 30 and 100 members, all cases
 *     npm run scale -- --members 10,100,1000          other sizes
 *     npm run scale -- --case storm                   one case: join, memory, rest, write, stream, burst, loss, storm
 *
 * Each size of each group of cases runs in a process of its own. Prints a table for each case, a column for each size, and all
 * figures as a line of JSON at the end. Exits with 1 when a cluster did not become coherent: its figures would mean nothing.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { execFileSync, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Scale from "../test/simulation/support/Scale.ts"

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "10,30,100" },
    case: { type: "string" },
    seed: { type: "string", default: "5" },
    /** Run in this process; what the parent does. */
    child: { type: "boolean", default: false }
  }
})

type Figures = Record<string, number>
type Rows = Record<string, Figures>

/** The cases that share a cluster, and so a process. */
const groups = [["join", "memory", "rest", "write", "stream", "burst", "loss"], ["storm"]] as const
type Case = (typeof groups)[number][number]
const cases: ReadonlyArray<Case> = groups.flat()

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const sizes = values.members.split(",").map((text) => {
  const size = Number(text)
  return Number.isInteger(size) && size >= 2 && size <= 1_025
    ? size
    : fail(`--members has ${JSON.stringify(text)}; accepted: whole numbers from 2 to 1025, separated by commas.`)
})
const wanted = (name: Case): boolean => values.case === undefined || values.case.split(",").includes(name)
if (!cases.some(wanted)) fail(`--case is ${JSON.stringify(values.case)}; accepted: ${cases.join(", ")}.`)

const heapBytes = (): number => {
  for (let times = 0; times < 3; times++) globalThis.gc?.()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const writing = (members: number, result: Scale.Writing): Figures => {
  const { abandoned, caused, data, lost, operations, overflowed, pulses, repeatsToAll, repeatsToOne, writes } = result
  const { ACK = 0, NACK = 0 } = operations
  return {
    writes,
    "data datagrams": data,
    "all datagrams but heartbeats, per data datagram": caused / data,
    "the same, per member": caused / data / members,
    "ACKs per data datagram": ACK / data,
    "ACKs per data datagram and reader": ACK / data / (members - 1),
    "PULSEs beside heartbeats, per data datagram": pulses / data,
    "received by the writer, per data datagram": result.writerReceived / data,
    "received by the reader with most, per data datagram": result.readerReceived / data,
    ...(lost === 0 ? {} : {
      "numbers found missing": lost,
      "NACKs per missing number": NACK / lost,
      "repeats to one, per missing number": repeatsToOne / lost,
      "repeats to all, per data datagram": repeatsToAll / data,
      "numbers given up": abandoned
    }),
    // What shares a datagram is counted twice.
    "requests and answers of repairs, per data datagram": Math.max(
      0,
      (caused - data - repeatsToAll - repeatsToOne - ACK - NACK - pulses) / data
    ),
    "receive buffers overflowed": overflowed,
    "ms until all had all": result.settledMillis
  }
}

const storming = (members: number, result: Scale.Storm): Figures => {
  const { joiners, operations, overflowed, readyMillis, received, sent } = result
  const met = joiners * (members - joiners) + joiners * (joiners - 1) / 2
  const { CHALLENGE = 0, JOIN = 0, PROOF = 0, PULSE = 0, WELCOME = 0 } = operations
  return {
    "ms until all are ready": readyMillis,
    "datagrams in total": sent,
    "datagrams per joiner": sent / joiners,
    "JOINs per joiner": JOIN / joiners,
    "WELCOMEs per joiner": WELCOME / joiners,
    "CHALLENGEs per pair that met": CHALLENGE / met,
    "PROOFs per pair that met": PROOF / met,
    "PULSEs per member": PULSE / members,
    "received by the member with most": Math.max(...received),
    "receive buffers overflowed": overflowed
  }
}

const measure = Effect.fnUntraced(function*(members: number) {
  const rows: Rows = {}
  const began = performance.now()
  const seconds = (): string => ((performance.now() - began) / 1_000).toFixed(1)
  const seed = Number(values.seed)
  // So many heartbeats take a minute of real time for each second. Rarer ones change no other figure.
  const large = members > 300
  const heartbeatMillis = large ? 5_000 : 1_000
  const settings = {
    seed,
    batch: 250,
    progress: (joined: number) => {
      if (large) console.error(`${joined} of ${members} members after ${seconds()} s`)
    },
    options: { protocol: { heartbeatMillis, suspectMillis: 5 * heartbeatMillis, removeMillis: 15 * heartbeatMillis } }
  }
  yield* TestClock.setTime(Date.UTC(2026, 0))
  const note = (name: string, figures: Figures): void => {
    rows[name] = figures
    console.error(`${members} members: ${name} after ${seconds()} s, ${Math.round(heapBytes() / 2 ** 20)} MiB`)
  }
  if (wanted("storm")) {
    // At once from nothing, and a hundred into what is there.
    if (members <= 200) {
      const cluster = yield* Scale.empty(settings)
      note("all at once from nothing", storming(members, yield* Scale.storm(cluster, members)))
    }
    if (members > 10) {
      const joiners = Math.min(100, members - 10)
      const cluster = yield* Scale.make(members - joiners, settings)
      note(`${joiners} at once into the others`, storming(members, yield* Scale.storm(cluster, joiners)))
    }
    return rows
  }
  const before = heapBytes()
  const cluster = yield* Scale.make(wanted("join") ? members - 1 : members, settings)
  if (wanted("join")) note("the last one joins", storming(members, yield* Scale.storm(cluster, 1)))
  if (wanted("memory")) {
    const bytes = heapBytes() - before
    note("memory, nothing written", {
      "KiB per member": bytes / members / 1_024,
      "bytes per member and other member": bytes / members / (members - 1)
    })
  }
  if (wanted("rest")) {
    const lasting = large ? 5 : 10
    const { bytes, overflowed, received, sent } = yield* Scale.idle(cluster, lasting)
    note("at rest", {
      "seconds between heartbeats": heartbeatMillis / 1_000,
      "datagrams a second, in total": sent / lasting,
      "datagrams a second, sent by each": sent / lasting / members,
      "datagrams a second, received by each": Math.max(...received) / lasting,
      "bytes a second, sent by each": bytes / lasting / members,
      "receive buffers overflowed": overflowed
    })
  }
  if (wanted("write")) {
    note(
      "one write a second",
      writing(members, yield* Scale.writes(cluster, { perSecond: 1, seconds: large ? 3 : 10 }))
    )
  }
  const streamed = large ? 1 : 5
  if (wanted("stream")) {
    note("100 writes a second", writing(members, yield* Scale.writes(cluster, { perSecond: 100, seconds: streamed })))
  }
  if (wanted("burst")) {
    note("10,000 writes at once", writing(members, yield* Scale.burst(cluster, { keys: large ? 2_000 : 10_000 })))
  }
  if (wanted("loss")) {
    note(
      "100 writes a second, 1 % lost",
      writing(members, yield* Scale.writes(cluster, { perSecond: 100, seconds: streamed, loss: 0.01 }))
    )
    note(
      "10,000 writes at once, 1 % lost",
      writing(members, yield* Scale.burst(cluster, { keys: large ? 2_000 : 10_000, loss: 0.01 }))
    )
  }
  return rows
})

if (values.child) {
  // Nobody waits for real time here, however long a turn takes.
  const surroundings = Layer.merge(TestClock.layer({ warningDelay: "1 day" }), Logger.layer([]))
  const rows = await Effect.runPromise(measure(sizes[0]).pipe(Effect.scoped, Effect.provide(surroundings)))
  console.log(JSON.stringify(rows))
  process.exit(0)
}

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim()
  } catch {
    return "unknown"
  }
}

const results = new Map<number, Rows>()
for (const group of groups) {
  const names = group.filter(wanted)
  if (names.length === 0) continue
  for (const members of sizes) {
    const run = spawnSync(process.execPath, [
      "--expose-gc",
      "--max-semi-space-size=256",
      "--max-old-space-size=18000",
      fileURLToPath(import.meta.url),
      "--child",
      "--members",
      `${members}`,
      "--case",
      names.join(","),
      "--seed",
      values.seed
    ], { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" })
    const last = run.stdout.trim().split("\n").at(-1)
    if (run.status !== 0 || last === undefined) {
      console.error(`${members} members: ${names.join(", ")} ended with ${run.status ?? run.signal}`)
      process.exit(1)
    }
    const figures: Rows = JSON.parse(last)
    results.set(members, { ...results.get(members), ...figures })
  }
}

const show = (figure: number | undefined): string =>
  figure === undefined
    ? ""
    : figure.toLocaleString("en-US", { maximumFractionDigits: figure >= 100 ? 0 : figure >= 1 ? 1 : 4 })
const titles = new Set([...results.values()].flatMap((rows) => Object.keys(rows)))
for (const title of titles) {
  const columns = sizes.filter((size) => results.get(size)?.[title] !== undefined)
  const names = new Set(columns.flatMap((size) => Object.keys(results.get(size)?.[title] ?? {})))
  console.log(`\n| ${title} | ${columns.join(" | ")} |\n| --- | ${columns.map(() => "---:").join(" | ")} |`)
  for (const name of names) {
    console.log(`| ${name} | ${columns.map((size) => show(results.get(size)?.[title][name])).join(" | ")} |`)
  }
}
console.log(`\n${JSON.stringify({ commit: commit(), node: process.version, results: Object.fromEntries(results) })}`)
