/** Processes, and threads, that share a cache over real multicast on 127.0.0.1, for tests that kill and stop them. */
import { type ChildProcess, fork } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import type { open } from "../../../src/standalone.ts"

export type Options = NonNullable<Parameters<typeof open>[0]>

export interface Question {
  readonly id: number
  readonly name: string
  readonly args: ReadonlyArray<unknown>
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

const program = fileURLToPath(new URL("child.ts", import.meta.url))
let groups = 0

/** A group of its own for every test: nothing else may speak there. */
export const group = (): Options => ({
  cluster: "integration",
  interface: "127.0.0.1",
  multicastIp: `224.0.0.3:${20_000 + (process.pid * 16 + groups++) % 40_000}`
})

/** Questions to, and answers of, a program that runs elsewhere: in a process or in a thread. */
export abstract class Conversation {
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly started: Promise<unknown> = this.#answer(0)
  #asked = 0

  protected abstract post(question: Question): void

  protected onAnswer({ error, id, value }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(error))
  }

  protected onEnd(how: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(how))
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  async ask(name: string, ...args: ReadonlyArray<unknown>): Promise<unknown> {
    const id = ++this.#asked
    const answer = this.#answer(id)
    this.post({ id, name, args })
    return answer
  }
}

export class Child extends Conversation {
  readonly #process: ChildProcess
  readonly exited: Promise<number | NodeJS.Signals | null>

  constructor(options: Options, environment: NodeJS.ProcessEnv = {}) {
    super()
    this.#process = fork(program, [JSON.stringify(options)], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced"
    })
    this.#process.on("message", (answer: Answer) => this.onAnswer(answer))
    this.exited = new Promise((resolve) =>
      this.#process.on("exit", (code, signal) => {
        this.onEnd(`the process ended with ${signal ?? code}`)
        resolve(signal ?? code)
      })
    )
  }

  protected override post(question: Question): void {
    this.#process.send(question)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }
}

/** The same program in a worker thread of this process. */
export class Thread extends Conversation {
  readonly #worker: Worker
  readonly threadId: number
  readonly exited: Promise<number>

  constructor(options: Options) {
    super()
    this.#worker = new Worker(program, { argv: [JSON.stringify(options)], stdout: true })
    this.threadId = this.#worker.threadId
    this.#worker.on("message", (answer: Answer) => this.onAnswer(answer))
    this.#worker.on("error", (error) => this.onEnd(`the thread failed: ${String(error)}`))
    this.exited = new Promise((resolve) =>
      this.#worker.on("exit", (code) => {
        this.onEnd(`the thread ended with ${code}`)
        resolve(code)
      })
    )
  }

  protected override post(question: Question): void {
    this.#worker.postMessage(question)
  }

  /** Ends it at once, whatever it is doing. */
  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Runs a test with a way to start processes, all of which are gone afterwards. */
export const withChildren = async (
  test: (start: (options: Options) => Promise<Child>) => Promise<void>
): Promise<void> => {
  const children: Array<Child> = []
  try {
    await test(async (options) => {
      const child = new Child(options)
      children.push(child)
      await child.started
      await child.ask("ready")
      return child
    })
  } finally {
    for (const child of children) child.signal("SIGKILL")
    await Promise.all(children.map(({ exited }) => exited))
  }
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
    await sleep(25)
  }
}

/** Waits until all have the same checksum, of at least so many entries. */
export const coherent = async (
  children: ReadonlyArray<Conversation>,
  entriesMin: number,
  millis: number
): Promise<string> => {
  const all = await eventually(
    () => Promise.all(children.map(async (child) => String(await child.ask("checksum")))),
    (checksums) => checksums.every((each) => each === checksums[0]) && Number(checksums[0].split("-")[0]) >= entriesMin,
    millis
  )
  return all[0]
}
