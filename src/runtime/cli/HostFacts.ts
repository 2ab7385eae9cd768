/** What the system tells `mccache doctor` of this host. On Linux from `/proc` and `/sys`; elsewhere most of it is not told. */
import { readFileSync } from "node:fs"
import type { Interface, Resolved } from "../Interfaces.ts"
import * as Interfaces from "../Interfaces.ts"
import type { DeviceFacts, HostFacts, SettingsFacts } from "./DoctorFacts.ts"
import * as KernelTables from "./KernelTables.ts"

/** What the facts are read from. */
export interface Sources {
  readonly platform: string
  readonly interfaces: ReadonlyArray<Interface>
  readonly environment: { readonly [variable: string]: string | undefined }
  /** The text of a file; `undefined` when it is not there or may not be read. */
  readonly read: (path: string) => string | undefined
}

/** This host. */
export const system = (family: Interfaces.Family): Sources => ({
  platform: process.platform,
  interfaces: Interfaces.list(family),
  environment: process.env,
  read: (path) => {
    try {
      return readFileSync(path, "utf8")
    } catch {
      return undefined
    }
  }
})

/** Reads them. What the kernel has joined is to be read while McCache is open. */
export const gather = (
  { environment, interfaces, platform, read }: Sources,
  settings: SettingsFacts | undefined,
  chosen: Resolved | undefined
): HostFacts => {
  if (platform !== "linux") return { platform, interfaces, device: {} }
  const table = <A>(path: string, parse: (text: string) => A): A | undefined => {
    const text = read(path)
    return text === undefined ? undefined : parse(text)
  }
  const group = settings === undefined ? undefined : KernelTables.bitsOf(settings.group)
  const v6 = settings?.family === "IPv6"
  return {
    platform,
    interfaces,
    device: chosen === undefined ? {} : deviceOf(chosen.name, read),
    routes: group === undefined
      ? undefined
      : v6
      // Each device has a route of its own to all groups: the one that the socket names counts.
      ? table(
        "/proc/net/ipv6_route",
        (text) =>
          KernelTables.routesTo(group, 128, KernelTables.routes6(text)).filter(({ device, prefixBits }) =>
            prefixBits > 0 && device === chosen?.name
          )
      )
      : table("/proc/net/route", (text) => KernelTables.routesTo(group, 32, KernelTables.routes4(text))),
    joined: group === undefined
      ? undefined
      : v6
      ? table("/proc/net/igmp6", (text) => KernelTables.joined6(text, group))
      : table("/proc/net/igmp", (text) => KernelTables.joined4(text, group)),
    receiveBufferBytesMax: table("/proc/sys/net/core/rmem_max", Number),
    cloud: cloudOf(read),
    container: environment.KUBERNETES_SERVICE_HOST !== undefined
      ? "Kubernetes"
      : read("/.dockerenv") !== undefined || read("/run/.containerenv") !== undefined
      ? "container"
      : undefined
  }
}

const flagUp = 0x1
const flagMulticast = 0x1000

const deviceOf = (name: string, read: Sources["read"]): DeviceFacts => {
  // What is no plain name stays out of paths.
  if (!/^[\w.@:-]+$/.test(name) || name.startsWith(".")) return {}
  const path = `/sys/class/net/${name}`
  const flags = Number(read(`${path}/flags`) ?? NaN)
  const known = Number.isInteger(flags)
  const filters = ["all", name].map((each) => Number(read(`/proc/sys/net/ipv4/conf/${each}/rp_filter`) ?? NaN))
  return {
    up: known ? (flags & flagUp) !== 0 : undefined,
    multicast: known ? (flags & flagMulticast) !== 0 : undefined,
    bridge: bridgeOf(name, `${path}/bridge`, read) ?? bridgeOf(masterOf(path, read), `${path}/master/bridge`, read),
    // The greater of the two holds.
    strictReversePath: filters.some(Number.isNaN) ? undefined : Math.max(...filters) === 1
  }
}

const masterOf = (path: string, read: Sources["read"]): string =>
  /^INTERFACE=(?<name>.+)$/m.exec(read(`${path}/master/uevent`) ?? "")?.groups?.name ?? "of the interface"

const bridgeOf = (name: string, path: string, read: Sources["read"]): DeviceFacts["bridge"] => {
  const snooping = read(`${path}/multicast_snooping`)?.trim()
  return snooping === undefined
    ? undefined
    : { name, snooping: snooping === "1", querier: read(`${path}/multicast_querier`)?.trim() === "1" }
}

/** What virtual machines of clouds say that they are made by. */
const clouds: ReadonlyArray<readonly [vendor: RegExp, name: string]> = [
  [/^Amazon EC2/, "Amazon"],
  [/^Google/, "Google"],
  [/^Microsoft Corporation\nVirtual Machine/, "Microsoft"],
  [/^Alibaba Cloud/, "Alibaba"],
  [/^DigitalOcean/, "DigitalOcean"],
  [/^Hetzner/, "Hetzner"],
  [/^Tencent Cloud/, "Tencent"],
  [/^OpenStack/, "an OpenStack cloud"]
]

const cloudOf = (read: Sources["read"]): string | undefined => {
  const made = ["sys_vendor", "product_name"].map((name) => read(`/sys/class/dmi/id/${name}`)?.trim() ?? "").join("\n")
  return clouds.find(([vendor]) => vendor.test(made))?.[1]
}
