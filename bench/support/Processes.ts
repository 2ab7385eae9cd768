/**
 * Other processes of a case: members, subscribers, load. A role is a file that ends in `serve({ name: async (argument) => …})`;
 * who started it asks by name and awaits the answer. All of them end with the case.
 */
import { fork } from "node:child_process"

export interface Role {
  readonly pid: number
  /** Calls what the role serves; rejects with what it threw, or when the process ended. */
  readonly ask: <A>(name: string, argument?: unknown) => Promise<A>
  readonly end: () => void
}

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Starts a role from its file, `new URL("./….ts", import.meta.url)`. Arguments and answers are structured clones. */
export const start = (file: URL, options: { readonly nodeFlags?: ReadonlyArray<string> } = {}): Role => {
  const running = fork(file, {
    execArgv: ["--expose-gc", ...options.nodeFlags ?? []],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let last = 0
  running.on("message", (answer) => {
    const { error, id, value } = answer as Answer
    const waits = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) waits?.resolve(value)
    else waits?.reject(new Error(error))
  })
  running.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process of ${file.pathname} ended with ${code}`))
    waiting.clear()
  })
  return {
    pid: running.pid ?? 0,
    ask: <A>(name: string, argument?: unknown) =>
      new Promise<A>((resolve, reject) => {
        const question: Question = { id: ++last, name, argument }
        waiting.set(question.id, { resolve: (value) => resolve(value as A), reject })
        running.send(question)
      }),
    end: () => void running.kill("SIGKILL")
  }
}

/** What a role answers to. */
export const serve = (handlers: { readonly [name: string]: (argument: never) => unknown }): void => {
  process.on("message", (question) => {
    const { argument, id, name } = question as Question
    const told = (answer: Answer): void => void process.send?.(answer)
    void (async () => handlers[name](argument as never))().then(
      (value) => told({ id, value }),
      (error: unknown) => told({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) })
    )
  })
  // Nobody is left to ask.
  process.on("disconnect", () => process.exit(0))
}
