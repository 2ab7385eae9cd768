/** The `mccache` command as users run it: a process of its own, against real members on loopback. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Options } from "./Children.ts"

const program = fileURLToPath(new URL("../../../src/bin.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly ended: Promise<Ended>
  /** What was printed so far. */
  readonly out: () => string
  readonly err: () => string
  readonly signal: (signal: NodeJS.Signals) => void
}

/** The flags that find a group. */
export const flagsOf = ({ cluster, interface: address, multicastIp }: Options): ReadonlyArray<string> => [
  "--cluster",
  String(cluster),
  "--interface",
  String(address),
  "--multicast-ip",
  String(multicastIp)
]

/** Starts the command; kills it when it does not end by itself. */
export const start = (
  args: ReadonlyArray<string>,
  environment: NodeJS.ProcessEnv = {},
  killAfterMillis = 30_000
): Running => {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env
  const child: ChildProcess = spawn(process.execPath, [program, ...args], {
    env: { ...inherited, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let out = ""
  let err = ""
  child.stdout?.on("data", (chunk) => out += String(chunk))
  child.stderr?.on("data", (chunk) => err += String(chunk))
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMillis)
  const ended = once(child, "close").then(() => {
    clearTimeout(timer)
    return { code: child.exitCode, out, err }
  })
  return { ended, out: () => out, err: () => err, signal: (signal) => void child.kill(signal) }
}

export const run = (args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  start(args, environment).ended
