/**
 * The host's network interfaces: what `MCCACHE_INTERFACE` names, and what the sockets need to know of it.
 *
 * Without a key McCache stays on loopback, where only processes of this host can hear or speak.
 */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import * as McCacheError from "../domain/McCacheError.ts"

export type Family = "IPv4" | "IPv6"

/** One address of an interface. */
export interface Interface {
  /** With its zone where it means nothing without one: `fe80::1%eth0`. */
  readonly address: string
  readonly name: string
  /** Whether only this host can reach it: not so of a routable address that the loopback interface was given. */
  readonly loopback: boolean
}

/** What the system tells of its interfaces. */
export type System = ReturnType<typeof networkInterfaces>

/** An interface that a setting means. */
export interface Resolved extends Interface {
  /** The largest packet in bytes, where the system tells it (Linux). A UDP payload is 28 (IPv4) or 48 bytes smaller. */
  readonly mtu: number | undefined
}

/** The family of an address in text. */
export const familyOf = (address: string): Family => address.includes(":") ? "IPv6" : "IPv4"

/**
 * The addresses of the family: those that others can reach, then those of the link, then loopback, last what else the loopback
 * interface has.
 */
export const list = (family: Family, system: System = networkInterfaces()): ReadonlyArray<Interface> => {
  const found: Array<{ readonly rank: number; readonly one: Interface }> = []
  for (const [name, addresses] of Object.entries(system)) {
    for (const { address, family: its, internal } of addresses ?? []) {
      if (its !== family) continue
      const loopback = internal && (isLoopback(address) || isOfLink(address))
      found.push({
        rank: loopback ? 2 : internal ? 3 : isOfLink(address) ? 1 : 0,
        one: { address: isOfLink(address) ? `${address}%${name}` : address, name, loopback }
      })
    }
  }
  return found.sort((left, right) => left.rank - right.rank).map(({ one }) => one)
}

/** Whether an address is one of those that no packet leaves a host with. */
export const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1"

const isOfLink = (address: string): boolean => /^fe[89ab].:|^169\.254\./i.test(address)

const withoutZone = (address: string): string => address.split("%", 1)[0] ?? address

/** The one that has the name or the address, which may come without its zone. */
export const find = (setting: string, among: ReadonlyArray<Interface>): Interface | undefined => {
  const address = setting.toLowerCase()
  const found = among.find((one) => one.name === setting || one.address === setting) ??
    among.find((one) => withoutZone(one.address) === address)
  // All of 127.0.0.0/8 is this host, although only 127.0.0.1 is listed.
  if (found !== undefined || !/^127(?:\.\d{1,3}){3}$/.test(setting)) return found
  const loopback = among.find((one) => one.loopback)
  return loopback === undefined ? undefined : { ...loopback, address }
}

/** For messages: `eth0 10.0.0.7, lo 127.0.0.1`. */
export const describe = (interfaces: ReadonlyArray<Interface>): string =>
  interfaces.length === 0 ? "none" : interfaces.map((one) => `${one.name} ${one.address}`).join(", ")

/**
 * The interface that the setting means. `auto` is loopback without a key, else the first that reaches beyond this host,
 * else loopback. Fails with `InvalidConfig` when there is none of that name or address, and says which there are.
 */
export const resolve = (
  setting: string,
  family: Family,
  hasKey: boolean,
  system?: System
): Effect.Effect<Resolved, McCacheError.McCacheError> =>
  Effect.suspend(() => {
    const interfaces = list(family, system)
    const found = setting !== "auto"
      ? find(setting, interfaces)
      : hasKey
      ? interfaces[0]
      : interfaces.find((one) => one.loopback)
    if (found !== undefined) return Effect.succeed({ ...found, mtu: mtuOf(found.name) })
    return McCacheError.make(
      "InvalidConfig",
      setting === "auto"
        ? `No ${hasKey ? "" : "loopback "}interface of this host has an ${family} address. There are: ` +
          `${
            describe(interfaces)
          }. Name one with MCCACHE_INTERFACE, or a group of the other family with MCCACHE_MULTICAST_IP.`
        : `MCCACHE_INTERFACE is ${JSON.stringify(setting)}, but no interface of this host has that name or ${family} ` +
          `address. There are: ${describe(interfaces)}. Name one of these, or leave it out.`
    )
  })

const mtuOf = (name: string): number | undefined => {
  if (process.platform !== "linux" || !/^[\w.@:-]+$/.test(name)) return undefined
  try {
    const mtu = Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8"))
    return mtu > 0 ? mtu : undefined
  } catch {
    return undefined
  }
}
