/**
 * Four processes share one cache of the media types of `mime-db`, while one is killed, one is stopped for 8 seconds and 5 %
 * of all datagrams are dropped on purpose: `npm run demo`, or `npm run demo -- --key` to encrypt the traffic.
 *
 * Exits with 0 only if all four hold the same entries at the end.
 */
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Action, Answer, Report } from "./conversation.ts"

const names = ["ada", "bob", "cyd", "dan"]
const dropPercent = 5
const stopMillis = 8_000
const convergeMillisMax = 10_000
const startedAt = Date.now()
const key = process.argv.includes("--key") ? randomBytes(32).toString("base64url") : undefined

const say = (text: string): void =>
  console.log(`${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(5)} s  ${text}`)

/** A member in a process of its own, and the questions that it has not answered yet. */
class Process {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  #asked = 0
  readonly started: Promise<unknown>

  constructor(name: string) {
    this.name = name
    this.#child = fork(fileURLToPath(new URL("member.ts", import.meta.url)), {
      env: {
        ...process.env,
        MCCACHE_CLUSTER: "mccache-demo",
        MCCACHE_INTERFACE: "127.0.0.1",
        MCCACHE_MULTICAST_IP: `224.0.0.3:${20_000 + process.pid % 20_000}`,
        TEST_MONKEY_TANTRUM: String(dropPercent),
        ...(key === undefined ? {} : { MCCACHE_CRYPTO_KEY: key })
      },
      // The only thing that a member logs here is the warning about the datagrams that it drops, once is said above.
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.started = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }))
    this.#child.on("message", ({ answer, error, id }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(answer)
      else waiting?.reject(new Error(`${name}: ${error}`))
    })
    this.#child.on("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended with ${signal ?? code}`))
    })
  }

  ask(action: Action): Promise<unknown> {
    const id = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ ...action, id })
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

const members = new Map<string, Process>()
const start = async (name: string): Promise<void> => {
  const member = new Process(name)
  members.set(name, member)
  await member.started
  await member.ask({ do: "ready" })
}
const member = (name: string): Process => {
  const found = members.get(name)
  if (found === undefined) throw new Error(`There is no member ${name}.`)
  return found
}
const everyone = (action: Action): Promise<Array<unknown>> =>
  Promise.all([...members.values()].map((one) => one.ask(action)))

/** Each member loads its share: together all of `mime-db`. */
const load = (): Promise<Array<unknown>> =>
  Promise.all(names.map((name, share) => member(name).ask({ do: "load", share, of: names.length })))

const reports = async (): Promise<ReadonlyArray<Report>> => await everyone({ do: "report" }) as Array<Report>

/** Waits, with a limit, until all hold the same entries, and at least so many. */
const converge = async (entriesMin: number): Promise<ReadonlyArray<Report>> => {
  const deadline = Date.now() + convergeMillisMax
  for (;;) {
    const all = await reports()
    if ((isCoherent(all) && all[0].entries >= entriesMin) || Date.now() > deadline) return all
    await sleep(50)
  }
}

const isCoherent = (all: ReadonlyArray<Report>): boolean =>
  all[0].entries > 0 && all.every(({ checksum }) => checksum === all[0].checksum)

const table = (all: ReadonlyArray<Report>): string => {
  const rows = [
    ["member", "entries", "checksum", "lookups", "lost", "repaired", "p50 ms", "p99 ms"],
    ...all.map((report, index) => [
      names[index],
      report.entries.toLocaleString("en-US"),
      report.checksum,
      report.lookups.toLocaleString("en-US"),
      String(report.lost),
      String(report.repaired),
      report.propagation.p50.toFixed(1),
      report.propagation.p99.toFixed(1)
    ])
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("  ")
  ).join("\n")
}

/** The keys that are not the same at all members, each with what every member holds. */
const differences = async (): Promise<ReadonlyArray<string>> => {
  const held = (await everyone({ do: "stamps" }) as Array<Array<[string, string]>>).map((entries) => new Map(entries))
  return [...new Set(held.flatMap((entries) => [...entries.keys()]))]
    .filter((type) => held.some((entries) => entries.get(type) !== held[0].get(type)))
    .map((type) => `${type}\n${held.map((one, at) => `  ${names[at]}: ${one.get(type) ?? "nothing"}`).join("\n")}`)
}

const run = async (): Promise<boolean> => {
  say(
    `four processes, one cache, ${
      key === undefined ? "no key" : "encrypted"
    }; ${dropPercent} % of datagrams are dropped`
  )
  await Promise.all(names.map(start))
  await load()
  const loaded = await converge(1_000)
  say(`${loaded.map(({ entries }) => entries).join(", ")} media types at ${names.join(", ")}`)
  await everyone({ do: "traffic" })
  say("everyone reads, updates and deletes")
  await sleep(1_000)

  say("kill -9 cyd")
  member("cyd").signal("SIGKILL")
  members.delete("cyd")
  say(`kill -STOP dan, for ${stopMillis / 1_000} s`)
  member("dan").signal("SIGSTOP")
  const stopped = sleep(stopMillis)
  await sleep(2_000)
  await start("cyd")
  await member("cyd").ask({ do: "traffic" })
  say("cyd started again, and has caught up")
  await sleep(1_000)
  await member("ada").ask({ do: "clear" })
  say("ada clears the cache, everywhere")
  await stopped
  member("dan").signal("SIGCONT")
  say("dan goes on, and learns what it missed")
  await sleep(1_000)
  await load()
  say("everything is loaded once more, under the same traffic")
  await sleep(1_000)
  await everyone({ do: "quiet" })
  say("everyone is quiet")

  const all = await converge(1)
  // The order of the table, also after a restart put a name at the end.
  const order = new Map([...members.keys()].map((name, index) => [name, all[index]]))
  console.log(`\n${table(names.flatMap((name) => order.get(name) ?? []))}\n`)
  if (isCoherent(all)) return true
  for (const difference of await differences()) console.log(difference)
  return false
}

try {
  const coherent = await run()
  await everyone({ do: "close" })
  console.log(coherent ? "coherent" : "not coherent")
  process.exitCode = coherent ? 0 : 1
} finally {
  for (const one of members.values()) one.signal("SIGKILL")
}
