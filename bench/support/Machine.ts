/** Where figures come from: without it they mean nothing. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os"

export interface Machine {
  readonly commit: string
  /** Whether the tree differs from the commit. */
  readonly modified: boolean
  readonly date: string
  readonly node: string
  readonly v8: string
  readonly kernel: string
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  /** The load average of the last minute before it began: above 0.5 the figures are to be doubted. */
  readonly load: number
  readonly versions: { readonly [name: string]: string }
}

const git = (...given: ReadonlyArray<string>): string => {
  try {
    return execFileSync("git", given, { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return ""
  }
}

const packages = ["effect", "@effect/platform-node", "msgpackr", "lru-cache", "cacheable", "bentocache", "ioredis"]

const versionOf = (name: string): string => {
  try {
    const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
    return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
  } catch {
    return "none"
  }
}

/** The first version number that a program tells of itself, or `none`. */
const programVersion = (program: string): string => {
  try {
    return /\d+\.\d+\.\d+/.exec(execFileSync(program, ["--version"], { encoding: "utf8", stdio: "pipe" }))?.[0] ?? "?"
  } catch {
    return "none"
  }
}

export const read = (): Machine => ({
  commit: git("rev-parse", "--short", "HEAD") || "unknown",
  modified: git("status", "--porcelain", "--", "src", "bench", ":!bench/results", "package-lock.json") !== "",
  date: new Date().toISOString(),
  node: process.versions.node,
  v8: process.versions.v8,
  kernel: release(),
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  load: Math.round(100 * loadavg()[0]) / 100,
  versions: {
    ...Object.fromEntries([...packages, "@nats-io/transport-node"].map((name) => [name, versionOf(name)])),
    "redis-server": programVersion("redis-server"),
    "nats-server": programVersion("nats-server")
  }
})
