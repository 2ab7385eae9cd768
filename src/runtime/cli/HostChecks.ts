/** What `mccache doctor` says of this host: settings, interface, route, membership, sizes, switches. Pure. */
import type { Facts, Finding, SettingsFacts } from "./DoctorFacts.ts"
import * as Quantities from "./Quantities.ts"

type Check = (facts: Facts) => ReadonlyArray<Finding>

const finding = (
  check: string,
  status: Finding["status"],
  measured: string,
  advice?: string
): ReadonlyArray<Finding> => [{ check, status, measured, advice }]

export const settings: Check = ({ settings: found, settingsProblem }) => {
  if (found === undefined) {
    return finding("settings", "problem", settingsProblem ?? "They cannot be read.", "Correct what is named here.")
  }
  const { cluster, dropPercent, family, group, hops, port, warnings } = found
  return [
    ...finding(
      "settings",
      "ok",
      `cluster ${cluster}, group ${family === "IPv6" ? `[${group}]` : group}:${port}, ${hops} ${
        hops === 1 ? "hop" : "hops"
      }`
    ),
    ...warnings.flatMap((warning) => finding("settings", "warning", warning, "Members of one cluster are set alike.")),
    ...dropPercent > 0
      ? finding(
        "settings",
        "warning",
        `TEST_MONKEY_TANTRUM drops ${dropPercent} % of the datagrams on purpose.`,
        "Unset it where nothing is tested."
      )
      : [],
    ...hops > 1 && isOfLink(found)
      ? finding(
        "settings",
        "warning",
        `${group} stays on its link: no router passes it on, although ${hops} hops are allowed.`,
        family === "IPv6"
          ? "Set MCCACHE_MULTICAST_IP to a group of a wider scope, such as one of ff08::/16, at every member."
          : "Set MCCACHE_MULTICAST_IP to a group of 239.0.0.0/8 at every member, and let the routers carry it."
      )
      : []
  ]
}

/** Groups that are for one link: no router forwards them, and snooping switches flood them (RFC 4541, 2.1.2). */
const isOfLink = ({ family, group }: SettingsFacts): boolean =>
  family === "IPv6" ? /^ff.2:/i.test(group) : group.startsWith("224.0.0.")

export const key: Check = ({ interface: chosen, settings: found }) => {
  if (found === undefined) return []
  if (found.keys > 0) return finding("key", "ok", found.keys === 1 ? "there is one" : `there are ${found.keys}`)
  if (found.insecure && chosen?.loopback !== true) {
    return finding(
      "key",
      "warning",
      "There is none, and MCCACHE_INSECURE=1 goes without: whoever reaches the network can read and write the cache.",
      "Make a key with mccache key, set it as MCCACHE_CRYPTO_KEY at every member, and unset MCCACHE_INSECURE."
    )
  }
  return finding(
    "key",
    "warning",
    "There is none, so that McCache stays on loopback: it sees processes of this host, and no others.",
    "For members on other hosts make a key with mccache key, and set it as MCCACHE_CRYPTO_KEY at every member."
  )
}

export const networkInterface: Check = (
  { host: { device, interfaces }, interface: chosen, interfaceProblem, settings: found }
) => {
  if (found === undefined) return []
  if (chosen === undefined) {
    return finding("interface", "problem", interfaceProblem ?? "There is none.", "Name one with MCCACHE_INTERFACE.")
  }
  const { address, loopback, name } = chosen
  if (device.up === false) {
    return finding("interface", "problem", `${name} ${address} is down.`, `ip link set dev ${name} up`)
  }
  if (!loopback && device.multicast === false) {
    return finding(
      "interface",
      "problem",
      `${name} ${address} does not carry multicast.`,
      `ip link set dev ${name} multicast on, or name another interface with MCCACHE_INTERFACE: point-to-point links and some ` +
        "tunnels cannot."
    )
  }
  const outside = new Set(interfaces.filter((one) => !one.loopback).map((one) => one.name))
  if (!loopback && found.interface === "auto" && outside.size > 1) {
    return finding(
      "interface",
      "warning",
      `auto took ${name} ${address}, of ${[...outside].join(", ")}.`,
      "Name the one on the network that the members share with MCCACHE_INTERFACE: another host may take another."
    )
  }
  if (loopback && found.keys > 0) {
    return finding(
      "interface",
      "warning",
      `${name} ${address} is loopback: it reaches processes of this host only, although there is a key.`,
      "Name an interface that others reach with MCCACHE_INTERFACE, or leave it out."
    )
  }
  return finding("interface", "ok", `${name} ${address}`)
}

export const route: Check = ({ heard, host: { platform, routes }, interface: chosen, settings: found }) => {
  if (chosen === undefined || found === undefined) return []
  if (routes === undefined) return unchecked("route", "The routing table", platform)
  const [first] = routes
  const { group } = found
  if (first !== undefined && !first.rejects && first.device === chosen.name) {
    return finding("route", "ok", `${group} goes out by ${first.device}`)
  }
  const what = first === undefined
    ? `There is no route to ${group}.`
    : first.rejects
    ? `The routing table refuses ${group}.`
    : `The routing table sends ${group} out by ${first.device}.`
  const works = heard !== undefined && ownHeard(heard.self, heard.senders) > 0
  // To Linux, a route by loopback to what is not of this host is a refusal, unless it is of the type `local`.
  const advice = found.family === "IPv4"
    ? `ip route add 224.0.0.0/4 dev ${chosen.name}`
    : chosen.loopback
    ? `ip -6 route add local ff00::/8 dev ${chosen.name}, or use IPv4 on this host.`
    : `ip -6 route add multicast ff00::/8 dev ${chosen.name} table local`
  // Sockets name their interface, and Linux then takes a group to be on its link, whatever the table says.
  if (works && (chosen.loopback || first !== undefined)) {
    return finding("route", "ok", `${what} McCache names ${chosen.name} itself, and what it sent arrived.`)
  }
  return works
    ? finding("route", "warning", `${what} McCache does without, other programs do not.`, advice)
    : finding("route", "problem", `${what} Nothing that was sent came back.`, advice)
}

/** Datagrams of one's own that came back. */
export const ownHeard = (
  self: string,
  senders: ReadonlyArray<{ readonly id?: string | undefined; readonly datagrams: number }>
): number => senders.filter(({ id }) => id === self).reduce((sum, { datagrams }) => sum + datagrams, 0)

export const membership: Check = ({ host: { joined, platform }, interface: chosen, openProblem, settings: found }) => {
  if (chosen === undefined || found === undefined) return []
  if (openProblem !== undefined) {
    return finding(
      "group",
      "problem",
      openProblem,
      "Another program may have the port without sharing it (ss -ulpn), or the system refuses to join groups there: take " +
        "another port or interface."
    )
  }
  if (joined === undefined) {
    return finding("group", "ok", `joined on ${chosen.name}; which groups the kernel has, ${platform} does not tell`)
  }
  return joined.includes(chosen.name)
    ? finding("group", "ok", `joined on ${chosen.name}`)
    : finding(
      "group",
      "problem",
      `The kernel has not joined ${found.group} on ${chosen.name}, but on ${joined.join(", ") || "no interface"}.`,
      "Raise net.ipv4.igmp_max_memberships if the host is in many groups; else name the interface by its address."
    )
}

export const receiveBuffer: Check = ({ host, receiveBufferBytes: given, settings: found }) => {
  if (given === undefined || found === undefined) return []
  const asked = found.receiveBufferBytes
  const text = `${Quantities.bytes(given)} of ${Quantities.bytes(asked)} that were asked for`
  if (given >= asked) return finding("buffer", "ok", text)
  return finding(
    "buffer",
    "warning",
    `Sockets receive in ${text}: bursts are slower.${
      host.receiveBufferBytesMax === undefined ? "" : ` net.core.rmem_max is ${host.receiveBufferBytesMax}.`
    }`,
    host.platform === "linux"
      ? `sysctl -w net.core.rmem_max=${asked}, and the same in /etc/sysctl.d; or ask for less with ` +
        "protocol.receiveBufferBytes."
      : host.platform === "darwin" || host.platform === "freebsd"
      ? `sysctl -w kern.ipc.maxsockbuf=${2 * asked}, or ask for less with protocol.receiveBufferBytes.`
      : "Ask for less with protocol.receiveBufferBytes."
  )
}

export const packetSize: Check = ({ host: { platform }, interface: chosen, settings: found }) => {
  if (chosen === undefined || found === undefined) return []
  if (chosen.mtu === undefined) return unchecked("packet size", "The MTU of an interface", platform)
  const headerBytes = found.family === "IPv6" ? 48 : 28
  const packet = found.packetBytes + headerBytes
  const text = `${packet} bytes with headers, and ${chosen.name} carries ${chosen.mtu}`
  return packet <= chosen.mtu ? finding("packet size", "ok", text) : finding(
    "packet size",
    "warning",
    `Datagrams have ${text}: they travel in fragments, which firewalls and clouds like to drop.`,
    `Set MCCACHE_PACKET_MTU=${chosen.mtu - headerBytes}, and measure the way to other hosts with mccache mtu.`
  )
}

export const switches: Check = ({ host: { device: { bridge } }, interface: chosen, settings: found }) => {
  if (chosen === undefined || found === undefined || chosen.loopback) return []
  if (isOfLink(found)) {
    return finding("switches", "ok", `${found.group} is of the link: switches that snoop IGMP pass it on all the same`)
  }
  if (bridge !== undefined && bridge.snooping && !bridge.querier) {
    return finding(
      "switches",
      "warning",
      `The bridge ${bridge.name} snoops IGMP and asks nobody: without another querier memberships age out after minutes.`,
      `ip link set dev ${bridge.name} type bridge mcast_querier 1, or mcast_snooping 0.`
    )
  }
  return finding(
    "switches",
    "unchecked",
    "Whether the switches between the hosts snoop IGMP cannot be seen from here.",
    "If they do, the VLAN needs an IGMP querier (the switch's or the router's), else members fall silent after 2 to 5 minutes: " +
      "mccache doctor --minutes 10 shows it."
  )
}

export const surroundings: Check = ({ host: { cloud, container }, interface: chosen }) => {
  if (chosen === undefined || chosen.loopback) return []
  return [
    ...cloud === undefined ? [] : finding(
      "surroundings",
      "warning",
      `This is a machine of ${cloud}, and most networks of clouds carry no multicast.`,
      "AWS has it with a Transit Gateway; elsewhere an overlay (VXLAN, WireGuard with a bridge) carries it. Within one host " +
        "loopback works."
    ),
    ...container === undefined ? [] : finding(
      "surroundings",
      "warning",
      container === "Kubernetes"
        ? "This is a pod, and most networks of Kubernetes carry no multicast between nodes."
        : "This is a container: its network is its own, and overlays between hosts carry no multicast.",
      container === "Kubernetes"
        ? "Use hostNetwork, or a network plugin that carries multicast (Cilium with multicast, Weave)."
        : "Use the host's network (--network host) or a macvlan; containers on one bridge do hear each other."
    )
  ]
}

const unchecked = (check: string, what: string, platform: string): ReadonlyArray<Finding> =>
  finding(check, "unchecked", `${what} is read on Linux only, and this is ${platform}.`)
