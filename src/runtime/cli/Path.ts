/** `mccache mtu` and `mccache hops`: the way to a host, measured with the system's `ping` (`Ping`). */
import * as NodeDns from "@effect/platform-node/NodeDns"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Dns from "effect/net/Dns"
import * as NetAddress from "effect/net/NetAddress"
import { isIP } from "node:net"
import * as McCacheError from "../../domain/McCacheError.ts"
import type { Family } from "../Interfaces.ts"
import * as Interfaces from "../Interfaces.ts"
import * as Ping from "../Ping.ts"
import * as ProgressLine from "./ProgressLine.ts"

const host = Argument.String("host").pipe(Argument.withDescription("An IPv4 or IPv6 address, or the name of a host"))

const flags = {
  ipv4: Flag.Boolean("ipv4").pipe(Flag.withDescription("Take the name's IPv4 address"), Flag.withDefault(false)),
  ipv6: Flag.Boolean("ipv6").pipe(Flag.withDescription("Take the name's IPv6 address"), Flag.withDefault(false)),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
}

interface Target {
  readonly host: string
  readonly address: string
  readonly family: Family
}

/** The address that is meant, as the system's resolver orders them where several are. */
const resolve = Effect.fnUntraced(
  function*(name: string, given: { readonly ipv4: boolean; readonly ipv6: boolean }): Effect.fn.Return<
    Target,
    McCacheError.McCacheError,
    Dns.Dns
  > {
    if (given.ipv4 && given.ipv6) {
      return yield* McCacheError.make("InvalidConfig", "--ipv4 and --ipv6 exclude each other: give one of them.")
    }
    const family = given.ipv4 ? "IPv4" : given.ipv6 ? "IPv6" : undefined
    if (isIP(name) !== 0) {
      const its = Interfaces.familyOf(name)
      if (family === undefined || family === its) return { host: name, address: name, family: its }
      return yield* McCacheError.make(
        "InvalidConfig",
        `${name} is an ${its} address, and --${family.toLowerCase()} was given: leave that out.`
      )
    }
    const dns = yield* Dns.Dns
    const [address] = yield* dns.lookup(name, { family }).pipe(
      Effect.mapError((error) =>
        McCacheError.make(
          error.reason === "BadName" ? "InvalidConfig" : "NetworkFailed",
          error.reason === "BadName"
            ? `${JSON.stringify(name)} is neither an IP address nor the name of a host.`
            : `${JSON.stringify(name)} has no ${
              family ?? "IP"
            } address (${error.reason}). Is the name right, and does this ` +
              "host's resolver know it? Else give an address."
        )
      )
    )
    const text = NetAddress.formatIp(address)
    return { host: name, address: text, family: Interfaces.familyOf(text) }
  }
)

/** Measures, with progress where a person waits, and prints. */
const measured = <A>(
  given: { readonly host: string; readonly ipv4: boolean; readonly ipv6: boolean; readonly json: boolean },
  measure: (address: string) => Effect.Effect<A, McCacheError.McCacheError>,
  probing: (probe: Ping.Probe) => string,
  text: (target: Target, answer: A) => string,
  fields: (answer: A) => { readonly [name: string]: unknown }
) =>
  Effect.gen(function*() {
    const target = yield* resolve(given.host, given)
    const named = {
      ...target,
      host: target.host === target.address ? target.address : `${target.host} (${target.address})`
    }
    let probes = 0
    const answer = yield* Effect.gen(function*() {
      const show = yield* ProgressLine.make
      return yield* Effect.provideService(
        measure(target.address),
        Ping.Progress,
        (probe) => show(`${named.host}: probe ${++probes}, ${probing(probe)}`)
      )
    }).pipe(Effect.scoped)
    yield* Console.log(
      given.json ? JSON.stringify({ ...target, ...fields(answer), probes }, undefined, 2) : text(named, answer)
    )
  }).pipe(Effect.provide(NodeDns.layer))

export const mtu = Command.make("mtu", { host, ...flags }, (given) =>
  measured(
    given,
    Ping.mtu,
    ({ payloadBytes }) => `${payloadBytes} bytes`,
    (target, payloadBytes) => `${payloadBytes} bytes of UDP payload reach ${target.host} in one piece`,
    (payloadBytes) => ({ payloadBytes })
  )).pipe(
    Command.withDescription(
      "Measure the largest UDP payload that reaches a host in one piece: what MCCACHE_PACKET_MTU may be at most"
    )
  )

const hopsMax = Flag.Int("max").pipe(Flag.withDescription("Look no further than this, 1 to 255"), Flag.withDefault(20))

export const hops = Command.make("hops", { host, ...flags, max: hopsMax }, (given) =>
  measured(
    given,
    (address) => Ping.hops(address, given.max),
    (probe) => `${probe.hops} hops`,
    (target, count) => `${target.host} is ${count} ${count === 1 ? "hop" : "hops"} away`,
    (count) => ({ hops: count })
  )).pipe(
    Command.withDescription("Measure how many hops away a host is: what MCCACHE_MULTICAST_HOPS has to be at least")
  )
