/** The real `mccache` command, as a shell would start it, on loopback only. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Options } from "./Children.ts"

export const bin = fileURLToPath(new URL("../../../src/bin.ts", import.meta.url))

export interface Ended {
  /** The exit code, or the signal's name. */
  readonly code: number | NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** Nobody's settings but those of the test. */
export const environment = (options: Options = {}, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MCCACHE_"))),
  NO_COLOR: "1",
  MCCACHE_INTERFACE: "127.0.0.1",
  ...options.cluster === undefined ? {} : { MCCACHE_CLUSTER: options.cluster },
  ...options.multicastIp === undefined ? {} : { MCCACHE_MULTICAST_IP: options.multicastIp },
  ...more
})

/** Runs a program to its end; `act` gets what it wrote so far, and what writes to it, whenever it writes. */
export const run = (
  [program, ...args]: readonly [string, ...ReadonlyArray<string>],
  env: NodeJS.ProcessEnv,
  act?: (out: string, write: (keys: string) => void, kill: (signal: NodeJS.Signals) => void) => void
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, timeout: 110_000, killSignal: "SIGKILL" })
    let out = ""
    let err = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text
      act?.(out, (keys) => void child.stdin.write(keys), (signal) => void child.kill(signal))
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text))
    if (act === undefined) child.stdin.end()
    // It may end before it reads what was written to it.
    child.stdin.on("error", () => undefined)
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code: signal ?? code, out, err }))
  })

/** Runs `mccache` with these arguments. */
export const mccache = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<Ended> =>
  run([process.execPath, bin, ...args], env)
