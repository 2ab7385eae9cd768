/** Redis and NATS, as peers: Debian packages, started on a free port of 127.0.0.1 for one case, without persistence. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { connect, createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Skipped } from "./Suite.ts"

export interface Server {
  readonly port: number
  readonly stop: () => void
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const isThere = (program: string): boolean => {
  try {
    execFileSync(program, ["--version"], { stdio: "pipe" })
    return true
  } catch {
    return false
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    }).once("error", () => resolve(false))
  })

const start = async (program: string, given: (port: number) => ReadonlyArray<string>): Promise<Server> => {
  if (!isThere(program)) {
    throw new Skipped(`${program} is not installed (as root: apt-get install ${program}, or bench/servers.sh)`)
  }
  const port = await freePort()
  const running: ChildProcess = spawn(program, given(port), { stdio: "ignore" })
  const deadline = Date.now() + 10_000
  while (!await accepts(port)) {
    if (Date.now() > deadline || running.exitCode !== null) throw new Error(`${program} did not start`)
    await sleep(20)
  }
  return { port, stop: () => void running.kill("SIGKILL") }
}

export const redis = (): Promise<Server> =>
  start("redis-server", (port) => ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])

export const nats = (): Promise<Server> => start("nats-server", (port) => ["-a", "127.0.0.1", "-p", String(port)])
