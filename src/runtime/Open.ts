/**
 * From settings to a running member on the real network: what both public doors share.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Configuration, Options } from "../domain/Configuration.ts"
import type { McCacheError } from "../domain/McCacheError.ts"
import * as McCacheErrors from "../domain/McCacheError.ts"
import { CoarseClock } from "../services/CoarseClock.ts"
import * as Member from "../services/Member.ts"
import { Network } from "../services/Network.ts"
import * as CoarseClockNode from "./CoarseClockNode.ts"
import * as HostProcessNode from "./HostProcessNode.ts"
import * as Interfaces from "./Interfaces.ts"
import * as Logging from "./Logging.ts"
import * as Settings from "./Settings.ts"
import * as UdpNetwork from "./UdpNetwork.ts"
import * as UnrefClock from "./UnrefClock.ts"

/** Options of the process, beside those of the configuration. */
export interface ProcessOptions {
  /** Lets the process end although McCache is open. Default false: it ends only after `close`. */
  readonly unref?: boolean | undefined
}

/** Ethernet's MTU, in which datagrams fit where nothing says otherwise: other links of the way may have no more. */
const ethernetMtu = 1_500
/** Of IP and UDP. */
const headerBytes = { IPv4: 28, IPv6: 48 } as const
/** As of `packetMtu`. */
const datagramBytesMin = 508
/** On loopback larger datagrams cost less per byte; this fits the kernel's buffers well. */
export const loopbackDatagramBytesDefault = 15_872

/** The datagram size of a configuration on an interface, by default one that is not fragmented there. */
export const datagramBytes = (
  { multicastGroup, packetMtu }: Configuration,
  { loopback, mtu = ethernetMtu }: Pick<Interfaces.Resolved, "loopback" | "mtu">
): number =>
  packetMtu ?? (loopback
    ? loopbackDatagramBytesDefault
    : Math.max(
      datagramBytesMin,
      Math.min(mtu, ethernetMtu) - headerBytes[Interfaces.familyOf(multicastGroup.address)]
    ))

/** The real network of a configuration. Fails with `InvalidConfig` when it may not, or cannot, use the interface. */
export const network = Effect.fnUntraced(function*(
  configuration: Configuration,
  options: ProcessOptions
): Effect.fn.Return<{ readonly layer: Layer.Layer<Network>; readonly loopback: boolean }, McCacheError> {
  const { address, port } = configuration.multicastGroup
  const hasKey = Redacted.value(configuration.cryptoKeys).length > 0
  const chosen = yield* Interfaces.resolve(
    configuration.interface,
    Interfaces.familyOf(address),
    hasKey || configuration.insecure
  )
  if (!chosen.loopback && !hasKey && !configuration.insecure) {
    return yield* McCacheErrors.make(
      "InvalidConfig",
      `MCCACHE_INTERFACE is ${
        JSON.stringify(configuration.interface)
      }, which others can reach, but there is no key: set MCCACHE_CRYPTO_KEY at every member, or MCCACHE_INSECURE=1 to go without.`
    )
  }
  const tantrum = configuration.testMonkeyTantrumPercent
  if (tantrum > 0) {
    yield* Effect.logWarning(`McCache drops ${tantrum} % of the datagrams that it sends: TEST_MONKEY_TANTRUM is set`)
  }
  return {
    loopback: chosen.loopback,
    layer: UdpNetwork.layer({
      group: address,
      port,
      interface: chosen.address,
      hops: configuration.multicastHops,
      receiveBufferBytes: configuration.protocol.receiveBufferBytes,
      datagramBytesMax: datagramBytes(configuration, chosen),
      unref: options.unref,
      dropShare: tantrum / 100,
      random: Math.random
    })
  }
})

/** Opens a member on the real network for the scope. It logs as its settings say, or as `logging` does. */
export const member = (
  { unref, ...options }: Options & ProcessOptions,
  sources: Settings.Sources,
  logging = Logging.layer
): Effect.Effect<Member.Member, McCacheError, Scope.Scope> =>
  Effect.clockWith((clock) =>
    opened(
      options,
      sources,
      (configuration) => Effect.map(network(configuration, { unref }), ({ layer }) => layer),
      logging
    )
      .pipe(
        Effect.provideService(Clock.Clock, unref === true ? UnrefClock.make(clock) : clock),
        Effect.provideService(CoarseClock, CoarseClockNode.of(clock))
      )
  )

/** Opens a member for the scope, on the network that the program provides. */
export const memberOnNetwork = (
  options: Options,
  sources: Settings.Sources
): Effect.Effect<Member.Member, McCacheError, Network | Scope.Scope> =>
  Effect.flatMap(
    Network,
    (given) => opened(options, sources, () => Effect.succeed(Layer.succeed(Network, given)), Logging.layer)
  )

const opened = Effect.fnUntraced(function*(
  options: Options,
  sources: Settings.Sources,
  networkOf: (configuration: Configuration) => Effect.Effect<Layer.Layer<Network>, McCacheError>,
  logging: typeof Logging.layer
): Effect.fn.Return<Member.Member, McCacheError, Scope.Scope> {
  const settings = yield* Settings.load(options, sources)
  const { configuration, warnings } = settings
  return yield* Effect.gen(function*() {
    for (const warning of warnings) yield* Effect.logWarning(`McCache: ${warning}`)
    const context = yield* Layer.build(Layer.merge(yield* networkOf(configuration), HostProcessNode.layer))
    const member = yield* Member.make(configuration).pipe(Effect.provide(context))
    member.registerMetrics(yield* Effect.context<never>())
    const [asked, given] = [
      configuration.protocol.receiveBufferBytes,
      Context.get(context, Network).receiveBufferBytes()
    ]
    if (given < asked) {
      yield* Effect.logWarning(
        `McCache: the system gave sockets ${given} of ${asked} bytes to receive in, so that bursts are slower: ` +
          `sysctl -w net.core.rmem_max=${asked} (Linux), or ask for less with protocol.receiveBufferBytes`
      )
    }
    return member
  }).pipe(Effect.provide(yield* Layer.build(logging(settings))))
})
