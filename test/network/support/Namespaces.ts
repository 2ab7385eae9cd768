/**
 * Hosts on a network of their own: Linux network namespaces, joined by veth pairs to bridges in a namespace of their
 * own. Nothing touches the host's interfaces, and nothing of it can leave the machine.
 *
 * ```
 *   mcc-<pid>-<n>      eth0 10.77.0.1..5/24          one namespace per host
 *        |
 *   port<n>  in  mcc-<pid>-<switch>                  bridges "left" and "right", no multicast snooping
 * ```
 *
 * A cable is pulled (`port`), an interface goes down (`link`), hosts move to the other bridge (`split`), and a port stops
 * to carry one direction (`deafen`, `mute`). What a process leaves behind when it is killed, the next one sweeps away.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"

const subnet = "10.77.0"
let names = 0
const open = new Set<Lan>()

const run = (command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const listed = (): ReadonlyArray<string> =>
  run("ip", "netns", "list").split("\n").map((line) => line.split(" ", 1)[0] ?? "").filter((name) => name !== "")

/** Why there can be no namespaces here; `undefined` when there can. */
export const unavailable = (): string | undefined => {
  if (process.platform !== "linux") return `network namespaces need Linux, and this is ${process.platform}`
  if (process.getuid?.() !== 0) return "network namespaces need root"
  const probe = `mcc-${process.pid}-probe`
  try {
    run("ip", "netns", "add", probe)
    run("ip", "-n", probe, "link", "add", "probe", "type", "bridge", "mcast_snooping", "0")
    run("ip", "-n", probe, "link", "add", "one", "type", "veth", "peer", "name", "two")
    run("ip", "-n", probe, "link", "set", "one", "master", "probe")
    run("bridge", "-n", probe, "link", "set", "dev", "one", "learning", "off", "flood", "off", "mcast_flood", "off")
    return undefined
  } catch (error) {
    return `the kernel or iproute2 refuses: ${error instanceof Error ? error.message.trim() : String(error)}`
  } finally {
    try {
      run("ip", "netns", "delete", probe)
    } catch {
      // It was never made.
    }
  }
}

/** Removes what processes that are gone left behind. */
const sweep = (): void => {
  for (const name of listed()) {
    const pid = /^mcc-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    try {
      run("ip", "netns", "delete", name)
    } catch {
      // Another worker swept it at the same time.
    }
  }
}

const closeAll = (): void => {
  for (const lan of open) lan.close()
}

process.on("exit", closeAll)
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    closeAll()
    process.kill(process.pid, signal)
  })
}

export class Lan {
  readonly hosts: ReadonlyArray<string>
  readonly #switch: string

  /** So many hosts, all connected. */
  constructor(count = 5, mtuBytes = 1_500) {
    sweep()
    const name = (): string => `mcc-${process.pid}-${names++}`
    this.hosts = Array.from({ length: count }, name)
    this.#switch = name()
    open.add(this)
    try {
      this.#build(mtuBytes)
    } catch (error) {
      this.close()
      throw error
    }
  }

  #build(mtuBytes: number): void {
    run("ip", "netns", "add", this.#switch)
    for (const bridge of ["left", "right"]) {
      this.#onSwitch("link", "add", bridge, "type", "bridge", "mcast_snooping", "0", "stp_state", "0")
      this.#onSwitch("link", "set", bridge, "up")
    }
    for (const [index, host] of this.hosts.entries()) {
      run("ip", "netns", "add", host)
      const port = `port${index}`
      this.#onSwitch("link", "add", port, "mtu", String(mtuBytes), "type", "veth", "peer", "eth0", "netns", host)
      this.#onSwitch("link", "set", port, "master", "left", "up")
      run("ip", "-n", host, "link", "set", "lo", "up")
      run("ip", "-n", host, "link", "set", "eth0", "mtu", String(mtuBytes), "multicast", "on", "up")
      this.address(index, true)
    }
  }

  #onSwitch(...args: ReadonlyArray<string>): void {
    run("ip", "-n", this.#switch, ...args)
  }

  #bridge(index: number, ...args: ReadonlyArray<string>): void {
    run("bridge", "-n", this.#switch, "link", "set", "dev", `port${index}`, ...args)
    // What the bridge has learnt would still find its way.
    this.#onSwitch("link", "set", `port${index}`, "type", "bridge_slave", "fdb_flush")
  }

  addressOf(index: number): string {
    return `${subnet}.${index + 1}`
  }

  /** How a program is run at the host. */
  enter(index: number): ReadonlyArray<string> {
    return ["ip", "netns", "exec", this.hosts[index]]
  }

  /** The host's own interface: while it is down the host has no route to anybody. */
  link(index: number, up: boolean): void {
    run("ip", "-n", this.hosts[index], "link", "set", "eth0", up ? "up" : "down")
  }

  /** The switch's end: the host sends, and nothing arrives anywhere. */
  port(index: number, up: boolean): void {
    this.#onSwitch("link", "set", `port${index}`, up ? "up" : "down")
  }

  /** The host's address, which takes its route along when it goes. */
  address(index: number, present: boolean): void {
    const address = `${this.addressOf(index)}/24`
    run("ip", "-n", this.hosts[index], "address", present ? "add" : "delete", address, "dev", "eth0")
  }

  /** These hosts reach only each other, and so do the rest. */
  split(apart: ReadonlyArray<number>): void {
    for (const index of apart) this.#onSwitch("link", "set", `port${index}`, "master", "right")
  }

  heal(): void {
    for (const index of this.hosts.keys()) this.#onSwitch("link", "set", `port${index}`, "master", "left")
  }

  /** Nothing reaches the host any more; what it sends reaches all. */
  deafen(index: number, deaf: boolean): void {
    const open = deaf ? "off" : "on"
    this.#bridge(index, "learning", open, "flood", open, "mcast_flood", open, "bcast_flood", open)
  }

  /** Nobody hears the host any more; it hears all. */
  mute(index: number, mute: boolean): void {
    // A locked port takes frames only from whom the bridge knows there, and it learns nobody.
    this.#bridge(index, "learning", mute ? "off" : "on", "locked", mute ? "on" : "off")
  }

  /** Datagrams that the host's kernel dropped because a receive buffer was full. */
  receiveBufferErrors(index: number): number {
    const [names, values] = run("ip", "netns", "exec", this.hosts[index], "cat", "/proc/net/snmp").split("\n")
      .filter((line) => line.startsWith("Udp:")).map((line) => line.split(" "))
    return Number(values[names.indexOf("RcvbufErrors")])
  }

  close(): void {
    if (!open.delete(this)) return
    const there = new Set(listed())
    for (const name of [...this.hosts, this.#switch]) {
      if (there.has(name)) run("ip", "netns", "delete", name)
    }
  }
}

/** The machine, for reports. */
export const kernel = (): string => readFileSync("/proc/sys/kernel/osrelease", "utf8").trim()
