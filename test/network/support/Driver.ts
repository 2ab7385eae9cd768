/** Runs members in processes, at the hosts of a `Lan` or on loopback, and writes down all that they do and see. */
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Flushed, MemberInfo, MemberMetrics } from "../../../src/standalone.ts"
import type { Held, Line, Options, Question, Work } from "./Conversation.ts"
import { History } from "./History.ts"
import type { Lan } from "./Namespaces.ts"

const program = fileURLToPath(new URL("member.ts", import.meta.url))
const clock = new URL("clock.ts", import.meta.url).href

export interface Settings {
  readonly options?: Options
  readonly lookMillis?: number
  readonly tell?: "changes" | "removals"
  /** A member that is told nothing ends by itself after so long. */
  readonly lifeMillis?: number
  /** Values remembered per key, for invariant 4. */
  readonly valuesMax?: number
}

export interface Birth {
  readonly clockOffsetMillis?: number
  readonly options?: Options
  /** Lets `memory` collect garbage first, and keeps the young generation small, so that all that V8 maps is soon touched. */
  readonly measured?: boolean
}

/** A member in a process. */
export class Player {
  readonly host: number
  readonly label: string
  readonly started: Promise<string>
  readonly exited: Promise<void>
  id = ""
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #history: History
  #asked = 0
  #errors = ""

  constructor(
    { command: [file, ...rest], environment, history, host, label }: {
      readonly command: ReadonlyArray<string>
      readonly environment: NodeJS.ProcessEnv
      readonly history: History
      readonly host: number
      readonly label: string
    }
  ) {
    this.host = host
    this.label = label
    this.#history = history
    this.#process = spawn(file, rest, { env: environment, stdio: ["pipe", "pipe", "pipe"] })
    const { stderr, stdin, stdout } = this.#process
    if (stdin === null || stdout === null || stderr === null) throw new Error("a process without pipes")
    // Who was killed does not listen.
    stdin.on("error", () => undefined)
    stderr.on("data", (data: Buffer) => this.#errors = (this.#errors + data.toString()).slice(-4_000))
    const lines = createInterface({ input: stdout })
    this.started = new Promise((resolve, reject) => {
      lines.on("line", (text) => {
        const line: Line = JSON.parse(text)
        if ("started" in line) {
          this.id = line.started
          history.begin(line.started, label)
          resolve(line.started)
        } else this.#hear(line)
      })
      this.#process.on("close", () => reject(new Error(`${label} ended before it was open: ${this.#errors}`)))
    })
    // "close" comes after the last line; "exit" need not.
    this.exited = new Promise<void>((resolve) =>
      this.#process.on("close", (code, signal) => {
        const error = new Error(`${label} ended with ${signal ?? code}: ${this.#errors}`)
        for (const waiting of this.#waiting.values()) waiting.reject(error)
        this.#waiting.clear()
        resolve()
      })
    )
  }

  #hear(line: Exclude<Line, { readonly started: string }>): void {
    if ("facts" in line) {
      for (const fact of line.facts) this.#history.take(this.id, fact)
      return
    }
    const waiting = this.#waiting.get(line.id)
    this.#waiting.delete(line.id)
    if (line.error === undefined) waiting?.resolve(line.value)
    else waiting?.reject(new Error(`${this.label}: ${line.error}`))
  }

  ask<A = unknown>(name: string, ...args: ReadonlyArray<unknown>): Promise<A> {
    const id = ++this.#asked
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.#process.stdin?.write(`${JSON.stringify({ id, name, args } satisfies Question)}\n`)
    return answer as Promise<A>
  }

  async set(key: string, value: string): Promise<void> {
    await this.ask("set", key, value)
  }

  held(): Promise<ReadonlyArray<Held>> {
    return this.ask("held")
  }

  members(): Promise<ReadonlyArray<MemberInfo>> {
    return this.ask("members")
  }

  metrics(): Promise<MemberMetrics> {
    return this.ask("metrics")
  }

  work(plan: Partial<Work> = {}): Promise<void> {
    return this.ask("work", { ...gentle, seed: this.host + 1, ...plan })
  }

  rest(): Promise<void> {
    return this.ask("rest")
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async kill(): Promise<void> {
    if (this.id !== "") this.#history.killed(this.id)
    this.#process.kill("SIGKILL")
    await this.exited
  }

  async close(): Promise<void> {
    await this.ask("close")
    this.#process.stdin?.end()
    await this.exited
  }
}

/** Five members write about 100 times a second each. */
const gentle: Work = {
  seed: 1,
  keys: 40,
  apertureMillis: 10,
  sets: 0.6,
  deletes: 0.1,
  clears: 0.001,
  bytesMin: 50,
  bytesMax: 400
}

let groups = 0

export class Driver {
  readonly lan: Lan | undefined
  readonly history: History
  readonly players: Array<Player> = []
  readonly #settings: Settings
  readonly #key = randomBytes(32).toString("base64url")
  readonly #group = `239.77.${process.pid % 250}.${1 + groups++ % 250}:${20_000 + process.pid % 20_000}`
  #births = 0

  constructor(lan: Lan | undefined, settings: Settings = {}) {
    this.lan = lan
    this.#settings = settings
    this.history = new History(settings.valuesMax)
  }

  /** Starts a member at a host; it is open when this resolves, and perhaps not ready. */
  async start(host: number, birth: Birth = {}): Promise<Player> {
    const { lifeMillis = 240_000, lookMillis = 50, options, tell = "changes" } = this.#settings
    const start = {
      options: {
        cluster: "network",
        interface: this.lan?.addressOf(host) ?? "127.0.0.1",
        multicastIp: this.#group,
        cacheTtl: 0,
        cacheMax: 100_000,
        logLevel: "error",
        ...options,
        ...birth.options
      },
      lookMillis,
      tell,
      lifeMillis
    }
    const preload = birth.clockOffsetMillis === undefined ? [] : ["--import", clock]
    const collector = birth.measured === true ? ["--expose-gc", "--max-semi-space-size=1"] : []
    const player = new Player({
      command: [
        ...this.lan?.enter(host) ?? [],
        process.execPath,
        ...collector,
        ...preload,
        program,
        JSON.stringify(start)
      ],
      environment: {
        ...process.env,
        NODE_OPTIONS: "",
        MCCACHE_CRYPTO_KEY: this.#key,
        MCC_CLOCK_OFFSET: String(birth.clockOffsetMillis ?? 0)
      },
      history: this.history,
      host,
      label: `host ${host}, life ${++this.#births}`
    })
    this.players.push(player)
    await player.started
    return player
  }

  /** Starts one member at each of so many hosts, and waits until all know each other. */
  async startAll(count = 5, birth: (host: number) => Birth = () => ({})): Promise<ReadonlyArray<Player>> {
    const players = await Promise.all(Array.from({ length: count }, (_, host) => this.start(host, birth(host))))
    await Promise.all(players.map((player) => player.ask("ready")))
    await this.acquainted(players)
    return players
  }

  async acquainted(players: ReadonlyArray<Player>, millis = 15_000): Promise<void> {
    await eventually(
      () => Promise.all(players.map(async (player) => (await player.members()).length)),
      (counts) => counts.every((count) => count === players.length),
      millis
    )
  }

  /** The member is not one of the players any more. */
  async kill(player: Player): Promise<void> {
    this.players.splice(this.players.indexOf(player), 1)
    await player.kill()
  }

  /**
   * Waits until all hold the same, judges it, and fails with everything that was broken. Answers how long it took, in
   * milliseconds. Nobody may write meanwhile.
   */
  async coherent(millis: number, players: ReadonlyArray<Player> = this.players): Promise<number> {
    const began = performance.now()
    const look = async () =>
      new Map(await Promise.all(players.map(async (each) => [each.id, await each.held()] as const)))
    const deadline = began + millis
    for (;;) {
      const held = await look()
      const texts = [...held.values()].map(textOf)
      const same = texts.every((text) => text === texts[0])
      const tookMillis = Math.round(performance.now() - began)
      if (same || performance.now() > deadline) {
        this.history.settle(held)
        this.history.check()
        return tookMillis
      }
      await sleep(100)
    }
  }

  /**
   * Invariant 9: a member writes, flushes, and so many others hold it as the answer says. Answers how many, or
   * `undefined` when the flush failed, which is no untruth.
   */
  async flushed(writer: Player, name: string, seconds = 10): Promise<number | undefined> {
    const keys = Array.from({ length: 8 }, (_, index) => `${name}/${writer.host}/${index}`)
    for (const key of keys) await writer.set(key, `${name} of ${writer.id} in ${key}`)
    const answer = await writer.ask<Flushed>("flush", seconds).catch((error: unknown) => {
      this.history.events.push(`flush, ${name}: ${String(error)}`)
    })
    if (answer === undefined) return
    const others = this.players.filter((player) => player !== writer)
    const holding = await Promise.all(others.map(async (player) => {
      const held = new Set((await player.held()).map(({ key }) => key))
      return keys.every((key) => held.has(key))
    }))
    const count = holding.filter(Boolean).length
    if (answer.members > count) {
      throw new Error(`invariant 9: flush of ${writer.label} tells of ${answer.members} members, ${count} hold it`)
    }
    return answer.members
  }

  async close(): Promise<void> {
    await Promise.all(this.players.splice(0).map((player) => player.kill()))
    this.lan?.close()
  }
}

const textOf = (held: ReadonlyArray<Held>): string =>
  held.map(({ crc, digest, key, stamp }) => `${key} ${stamp.join("@")} ${crc} ${digest}`).sort().join("\n")

/** Has all of them do something at the same time. */
export const all = async (
  players: ReadonlyArray<Player>,
  act: (player: Player) => Promise<unknown>
): Promise<void> => {
  await Promise.all(players.map(act))
}

/** Looks until it holds; fails with what was seen last when time is up. */
export const eventually = async <A>(
  look: () => Promise<A>,
  holds: (seen: A) => boolean,
  millis: number
): Promise<A> => {
  const deadline = Date.now() + millis
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (Date.now() > deadline) throw new Error(`not within ${millis} ms; last seen: ${JSON.stringify(seen)}`)
    await sleep(100)
  }
}
