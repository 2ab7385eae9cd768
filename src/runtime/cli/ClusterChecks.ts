/** What `mccache doctor` says of what it heard: its own echo, the members, strangers, clocks, memberships that age. Pure. */
import type { MemberInfo } from "../../services/Gather.ts"
import type { Facts, Finding, Heard, Sender } from "./DoctorFacts.ts"
import { ownHeard } from "./HostChecks.ts"

type Check = (facts: Facts, heard: Heard) => ReadonlyArray<Finding>

/** Who is heard for this long and is no member yet does not get through to us, or we not to it. */
const unmetMillis = 3_000
/** Who was silent for this long has been lost: heartbeats come each second. */
const silentMillis = 10_000
/** Memberships age out after 125 to 260 seconds: shorter listening shows nothing of it. */
const agingMillisMin = 60_000

const secondsOf = (millis: number): string => `${Math.round(millis / 1_000)} s`

/** At most so many are named. */
const namedMax = 8

const list = (names: ReadonlyArray<string>): string =>
  names.length <= namedMax
    ? names.join(", ")
    : `${names.slice(0, namedMax).join(", ")} and ${names.length - namedMax} more`

/** The address without the port. */
export const hostOf = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")

export const echo: Check = ({ settings }, { listenedMillis, self, senders }) => {
  const own = ownHeard(self, senders)
  return own > 0
    ? [{
      check: "own echo",
      status: "ok",
      measured: `${own} of the datagrams sent to the group came back to this host`
    }]
    : [{
      check: "own echo",
      status: "problem",
      measured: `Nothing that was sent to the group came back to this host within ${secondsOf(listenedMillis)}.`,
      advice: "A firewall of this host may drop it (nft list ruleset, iptables -S): let UDP to port " +
        `${settings?.port ?? ""} in and out, and IGMP.`
    }]
}

export const members: Check = (_, { listenedMillis, members: others, senders, self }) => {
  if (others.length === 0) {
    const others = senders.filter(({ id }) => id !== self)
    return [{
      check: "members",
      status: "warning",
      measured: `No other member within ${secondsOf(listenedMillis)}.`,
      advice: others.length > 0
        ? "Somebody was heard: see below."
        : "Run mccache doctor at two hosts at the same time. If each hears only itself, what is between them does not carry " +
          "multicast; cluster, key, group and interface must be the same."
    }]
  }
  const unwell = others.filter(({ state }) => state === "suspect" || state === "lagging")
  const name = ({ address, label, state }: MemberInfo): string =>
    `${label} at ${address}${state === "ready" ? "" : ` (${state})`}`
  return [{
    check: "members",
    status: unwell.length > 0 ? "warning" : "ok",
    measured: `${others.length} other: ${list(others.map(name))}`,
    advice: unwell.length > 0
      ? "Suspect ones were not heard for seconds: their process is stalled, or its datagrams are lost."
      : undefined
  }]
}

/** With our key, and yet no member: what goes from one to the other alone does not get through. */
export const unmet: Check = (_, { listenedMillis, met, self, senders }) => {
  const strange = senders.filter(({ firstMillis, id, lastMillis, ours }) =>
    ours && id !== undefined && id !== self && !met.has(id) && lastMillis - firstMillis >= unmetMillis &&
    listenedMillis - lastMillis < silentMillis
  )
  return strange.length === 0 ? [] : [{
    check: "unicast",
    status: "problem",
    measured: `Heard with our key, but without an answer to what was sent to them: ${
      list(strange.map(({ address }) => address))
    }.`,
    advice:
      "Members answer each other by unicast, from ports of their own: let UDP through between the hosts in both " +
      "directions, not only to the group's port. Network address translation between them does not work."
  }]
}

/** Without our key, or of another cluster. */
export const strangers: Check = ({ settings }, { members: others, self, senders }) => {
  const strange = senders.filter(({ id, ours }) => id !== undefined && id !== self && !ours)
  // It may well be another cluster's business; but with nobody else there it is likely to be what is missed.
  const status = others.length === 0 ? "problem" : "warning"
  const of = (
    chosen: (sender: Sender) => boolean,
    what: string,
    advice: string
  ): ReadonlyArray<Finding> => {
    const names = strange.filter(chosen).map(({ address }) => address)
    return names.length === 0 ? [] : [{ check: "strangers", status, measured: `${what}: ${list(names)}.`, advice }]
  }
  const sealed = (settings?.keys ?? 0) > 0
  return [
    ...of(
      ({ otherVersion }) => otherVersion,
      "These speak another version of the protocol",
      "Use the same version of McCache at every member."
    ),
    ...of(
      (sender) => !sender.otherVersion && sender.sealed !== sealed,
      sealed ? "These have no key, and there is one here" : "These have a key, and there is none here",
      "Set the same MCCACHE_CRYPTO_KEY at every member."
    ),
    ...of(
      (sender) => !sender.otherVersion && sender.sealed === sealed,
      sealed ? "These have another key, or are of another cluster" : "These are of another cluster",
      sealed
        ? "If they should be members: MCCACHE_CRYPTO_KEY and MCCACHE_CLUSTER must be the same. If not: another port of " +
          "MCCACHE_MULTICAST_IP keeps clusters apart."
        : "If they should be members: MCCACHE_CLUSTER must be the same; without it, it is the name in package.json. If not: " +
          "another port of MCCACHE_MULTICAST_IP keeps clusters apart."
    )
  ]
}

export const otherTraffic: Check = (_, { senders }) => {
  const foreign = senders.filter(({ id }) => id === undefined)
  return foreign.length === 0 ? [] : [{
    check: "other traffic",
    status: "warning",
    measured: `Another program sends to the group and port: ${
      list(foreign.map(({ address, datagrams }) => `${address} (${datagrams} datagrams)`))
    }.`,
    advice: "Choose another port with MCCACHE_MULTICAST_IP at every member."
  }]
}

export const refusals: Check = (_, { refusals: refused, unauthentic }) => [
  ...refused.map((measured): Finding => ({
    check: "refused",
    status: "problem",
    measured: `Another member refuses ours: ${measured}`,
    advice: "Set the clocks, and open namespaces with the same options at every member."
  })),
  ...unauthentic === 0 ? [] : [
    {
      check: "refused",
      status: "warning",
      measured: `${unauthentic} datagrams named a key of ours and did not open with it.`,
      advice: "They were altered on the way, or somebody forges them."
    } satisfies Finding
  ]
]

export const clock: Check = ({ settings }, { members: others }) => {
  if (others.length === 0 || settings === undefined) return []
  const { clockAheadMillisMax, clockKeepMillis } = settings
  const skews = others.map(({ clockSkewMillis }) => clockSkewMillis).sort((left, right) => left - right)
  const median = skews[(skews.length - 1) >> 1]
  const statusOf = (millis: number): "warning" | "problem" =>
    Math.abs(millis) > clockAheadMillisMax ? "problem" : "warning"
  const advice = "Run a time service (chrony, systemd-timesyncd): chronyc tracking, timedatectl."
  if (Math.abs(median) > clockKeepMillis) {
    return [{
      check: "clock",
      status: statusOf(median),
      measured: `This host's clock is ${Math.round(Math.abs(median))} ms ${
        median > 0 ? "behind" : "ahead of"
      } the others'.`,
      advice
    }]
  }
  const off = others.filter(({ clockSkewMillis }) => Math.abs(clockSkewMillis - median) > clockKeepMillis)
  if (off.length === 0) {
    const most = Math.max(...skews.map(Math.abs))
    return [{ check: "clock", status: "ok", measured: `at most ${Math.round(most)} ms from the others'` }]
  }
  return off.map(({ clockSkewMillis, label }) => ({
    check: "clock",
    status: statusOf(clockSkewMillis),
    measured: `The clock of ${label} is ${Math.round(Math.abs(clockSkewMillis))} ms ${
      clockSkewMillis > 0 ? "ahead" : "behind"
    }.`,
    advice
  }))
}

/** Multicast that arrived for a while and then no more. */
export const aging: Check = ({ interface: chosen }, { left, listenedMillis, self, senders }) => {
  if (chosen === undefined || chosen.loopback) return []
  const here = new Set(senders.filter(({ id }) => id === self).map(({ address }) => hostOf(address)))
  const remote = senders.filter(({ address, id, ours }) => ours && id !== undefined && !here.has(hostOf(address)))
  if (remote.length === 0 || listenedMillis < agingMillisMin) {
    return [{
      check: "aging",
      status: "unchecked",
      measured: remote.length === 0
        ? "No other host was heard, so that none could fall silent."
        : `In ${secondsOf(listenedMillis)} no membership ages out.`,
      advice: "mccache doctor --minutes 10, with members running at other hosts, shows it."
    }]
  }
  const silent = remote.filter(({ id, lastMillis }) =>
    id !== undefined && !left.has(id) && listenedMillis - lastMillis >= silentMillis
  )
  return silent.length === 0
    ? [{
      check: "aging",
      status: "ok",
      measured: `all of ${remote.length} were heard for ${secondsOf(listenedMillis)}`
    }]
    : silent.map(({ address, lastMillis }) => ({
      check: "aging",
      status: "problem",
      measured: `${address} was heard by multicast for ${secondsOf(lastMillis)}, and then no more for ${
        secondsOf(listenedMillis - lastMillis)
      }.`,
      advice:
        "If its process still runs, a switch let the membership age out: enable an IGMP querier in the VLAN, or disable " +
        "snooping there, or use a group of 224.0.0.0/24, which switches always pass on."
    }))
}

/** A host with several networks may drop what comes by the one that it would not answer by. */
export const reversePath: Check = ({ host: { device, interfaces }, interface: chosen }, { members: others }) => {
  const outside = new Set(interfaces.filter(({ loopback }) => !loopback).map(({ name }) => name))
  if (chosen === undefined || chosen.loopback || device.strictReversePath !== true) return []
  if (others.length > 0 || outside.size < 2) return []
  return [{
    check: "reverse path",
    status: "warning",
    measured: `${chosen.name} drops what comes from addresses that the routing table reaches by another interface.`,
    advice: `sysctl -w net.ipv4.conf.${chosen.name}.rp_filter=2, or a route to the members by ${chosen.name}.`
  }]
}
