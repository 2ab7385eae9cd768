/**
 * Members on a network of their own: each in a Linux network namespace with an address of its own, joined by veth pairs to a
 * bridge in one more. No interface of the host is touched. Needs root and iproute2.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { StressError } from "./Crew.ts"

export interface Host {
  readonly address: string
  /** The command that a program runs under to be there. */
  readonly enter: ReadonlyArray<string>
}

/** Addresses of the bridge's network: 10.77.1.1 and so on. */
const addressesMax = 254
const prefix = "mccs"

/** Of iproute2. */
const program = "ip"

const ip = (...args: ReadonlyArray<string>): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const listed = (): ReadonlyArray<string> => ip("netns", "list").split("\n").map((line) => line.split(" ", 1)[0])

/** Removes the namespaces of this process, and of those that were killed before they could. */
const sweep = (pid: number): void => {
  for (const name of listed()) {
    const owner = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && (Number(owner) === pid || !existsSync(`/proc/${owner}`))) ip("netns", "delete", name)
  }
}

const build = (count: number, pid: number): ReadonlyArray<Host> => {
  const bridge = `${prefix}-${pid}-switch`
  sweep(pid)
  ip("netns", "add", bridge)
  ip("-n", bridge, "link", "add", "lan", "type", "bridge", "mcast_snooping", "0", "stp_state", "0")
  ip("-n", bridge, "link", "set", "lan", "up")
  return Array.from({ length: count }, (_, index) => {
    const name = `${prefix}-${pid}-${index}`
    const port = `port${index}`
    const address = `10.77.1.${index + 1}`
    ip("netns", "add", name)
    ip("-n", bridge, "link", "add", port, "type", "veth", "peer", "eth0", "netns", name)
    ip("-n", bridge, "link", "set", port, "master", "lan", "up")
    ip("-n", name, "link", "set", "lo", "up")
    ip("-n", name, "link", "set", "eth0", "multicast", "on", "up")
    ip("-n", name, "address", "add", `${address}/24`, "dev", "eth0")
    return { address, enter: [program, "netns", "exec", name] }
  })
}

/** So many hosts, for the scope. */
export const make = (count: number, pid: number): Effect.Effect<ReadonlyArray<Host>, StressError, Scope.Scope> => {
  if (process.platform !== "linux" || process.getuid?.() !== 0 || count > addressesMax) {
    const why = count > addressesMax
      ? `${count} members are more than the ${addressesMax} that fit`
      : process.platform === "linux"
      ? "this is not root"
      : `they need Linux, and this is ${process.platform}`
    return Effect.fail(
      new StressError({ message: `--namespaces is not possible: ${why}. Leave it out to use loopback.` })
    )
  }
  return Effect.acquireRelease(
    Effect.try({
      try: () => build(count, pid),
      catch: (cause) => {
        // What was made before it failed.
        Effect.runSync(clean(pid))
        return new StressError({ message: `--namespaces is not possible: ${cause}. Leave it out to use loopback.` })
      }
    }),
    () => clean(pid)
  )
}

/** What cannot be removed now is removed by the next run. */
const clean = (pid: number): Effect.Effect<void> => Effect.ignore(Effect.try(() => sweep(pid)))
