/**
 * The real network: UDP multicast, with two sockets.
 *
 * - The *group* socket is bound to the group's port with address reuse, so that any number of processes on a host hear
 *   the group. It only listens. On Linux it is bound to the group's address too, and so never hears unicast or other
 *   groups of that port.
 * - The *own* socket has a port of its own. Everything is sent from it, and peers answer to it. What the group socket
 *   hears is handed to it, so that both are one queue and one pull.
 *
 * What a member multicasts comes back to its group socket; it is recognised by its source and dropped there. That read
 * costs as much as the send (no option of the kernel's that Node offers keeps only one's own datagrams away). On
 * loopback, what did not come from loopback is dropped too: Linux delivers a datagram to every socket bound to the
 * group's port, also when it came in by an interface on which only another process joined the group.
 *
 * Requires nothing from below but what UDP is. Guarantees above: whole datagrams with unaltered bytes, in batches; a
 * failure to send never fails the caller; when a socket dies, or 16 multicasts in a row fail, the pull fails and
 * `receive` can be opened anew.
 *
 * Sends before `receive` was opened, or while the sockets are being reopened, are dropped and counted.
 */
import * as NodeDatagramSocket from "@effect/platform-node/NodeDatagramSocket"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as DatagramSocket from "effect/socket/DatagramSocket"
import * as Dgram from "node:dgram"
import { networkInterfaces } from "node:os"
import * as McCacheError from "../domain/McCacheError.ts"
import { type Address, Network, type Received } from "../services/Network.ts"
import * as Interfaces from "./Interfaces.ts"
import * as KernelDrops from "./KernelDrops.ts"

export interface Options {
  /** The multicast address, IPv4 or IPv6, without brackets. */
  readonly group: string
  readonly port: number
  /** An address of this host, or an interface's name. What `Interfaces.resolve` answers is right. */
  readonly interface: string
  /** The hop limit (TTL) of multicasts, 1 to 255: routers on the way + 1. */
  readonly hops: number
  /** What to ask the system for, per socket; `Network.receiveBufferBytes` says what it gave. */
  readonly receiveBufferBytes: number
  /** Larger payloads are not sent, but counted as failures. At most 65,507. */
  readonly datagramBytesMax: number
  /** True lets the process end although the sockets are open. Default false. */
  readonly unref?: boolean | undefined
  /** The share of outgoing datagrams that is dropped on purpose, 0 to 1, to test and to demonstrate. Default 0. */
  readonly dropShare?: number | undefined
  /** In [0, 1); used for `dropShare` only. */
  readonly random: () => number
}

/** Datagrams sent without letting others run. */
const datagramsPerWriteMax = 32
/** Datagrams that may wait for a pull. The kernel's buffer absorbs bursts; this one bounds a stalled reader. */
const queueCapacityDatagrams = 4_096
/** Peers whose parsed addresses are kept. */
const addressesMax = 4_096
/** Failed multicasts in a row after which the interface is taken for gone, and the sockets are opened anew. */
const failuresInRowMax = 16

/** The sockets while they are open. */
interface Open {
  readonly writer: DatagramSocket.Writer
  readonly group: NetAddress.InetAddress
  readonly receiveOverflow: () => number
  /** Closes the sockets, so that the pull fails with the cause. */
  readonly end: (cause: string) => void
}

/** The network of one member. @category layers */
export const layer = (options: Options): Layer.Layer<Network> => Layer.sync(Network, () => make(options))

/** The network of one member; no socket is open until `receive` is. @category constructors */
export const make = (options: Options): Network["Service"] => {
  const { datagramBytesMax, dropShare = 0, random } = options
  const addresses = new Map<Address, NetAddress.InetAddress | undefined>()
  let open: Open | undefined
  let self: Address = ""
  let receiveBufferBytes = 0
  let receiveOverflow = 0
  let sendFailures = 0
  let multicastFailuresInRow = 0
  /** Own multicasts that did not come back to the group socket: they are still there, or were dropped there for want of room. */
  let echoesOwed = 0
  /** Whether they are recognised at all. */
  let echoesSeen = false

  // ---------------------------------------------------------------------------------------------- sending

  const failed = (to: NetAddress.InetAddress, error: DatagramSocket.DatagramSocketError): void => {
    // The writer tells of a batch's first failure only.
    sendFailures++
    if (to !== open?.group || error.reason._tag !== "DatagramSocketWriteError") return
    if (error.reason.kind === "MessageTooLarge" || codeOf(causeOf(error)) === "ENOBUFS") return
    if (++multicastFailuresInRow >= failuresInRowMax) open.end(`multicasting failed with ${textOf(causeOf(error))}`)
  }

  const write = (
    to: NetAddress.InetAddress,
    writer: DatagramSocket.Writer,
    outgoing: ReadonlyArray<DatagramSocket.OutgoingDatagram>
  ): Effect.Effect<void> =>
    isReadonlyArrayNonEmpty(outgoing)
      ? Effect.match(writer.writeAll(outgoing), {
        onSuccess: () => {
          if (to !== open?.group) return
          multicastFailuresInRow = 0
          if (echoesSeen) echoesOwed += outgoing.length
        },
        onFailure: (error) => failed(to, error)
      })
      : Effect.void

  const writeInTurns = Effect.fnUntraced(function*(
    to: NetAddress.InetAddress,
    writer: DatagramSocket.Writer,
    outgoing: ReadonlyArray<DatagramSocket.OutgoingDatagram>
  ) {
    for (let from = 0; from < outgoing.length; from += datagramsPerWriteMax) {
      if (from > 0) yield* Effect.yieldNow
      yield* write(to, writer, outgoing.slice(from, from + datagramsPerWriteMax))
    }
  })

  const send = (to: NetAddress.InetAddress | undefined, payloads: ReadonlyArray<Uint8Array>): Effect.Effect<void> => {
    if (open === undefined || to === undefined) {
      sendFailures += payloads.length
      return Effect.void
    }
    const outgoing: Array<DatagramSocket.OutgoingDatagram> = []
    for (const payload of payloads) {
      if (payload.length > datagramBytesMax) sendFailures++
      else if (dropShare === 0 || random() >= dropShare) outgoing.push({ payload, address: to })
    }
    return outgoing.length <= datagramsPerWriteMax
      ? write(to, open.writer, outgoing)
      : writeInTurns(to, open.writer, outgoing)
  }

  const parse = (to: Address): NetAddress.InetAddress | undefined => {
    if (addresses.has(to)) return addresses.get(to)
    const parsed = parseAddress(to)
    if (addresses.size >= addressesMax) addresses.clear()
    addresses.set(to, parsed)
    return parsed
  }

  // ---------------------------------------------------------------------------------------------- receiving

  const receive = Effect.gen(function*() {
    const { group, groupAddress, own } = yield* openSockets(options)
    let reason = "they were closed"
    const end = (cause: string): void => {
      reason = cause
      close(own)
    }
    const socket = yield* NodeDatagramSocket.fromSocket(Effect.succeed(own), {
      receiveBuffer: { capacity: queueCapacityDatagrams },
      onError: (error) => end(textOf(causeOf(error)))
    })
    const reader = yield* Effect.mapError(socket.reader, (error) => networkFailed(options, causeOf(error)))
    const writer = yield* socket.writer
    const { address, port } = own.address()
    const loopback = Interfaces.isLoopback(address)
    group.on("message", (payload, info) => {
      if (info.port === port && info.address === address) {
        if (echoesSeen) echoesOwed--
        echoesSeen = true
        return
      }
      if (loopback && !Interfaces.isLoopback(info.address)) return
      own.emit("message", payload, info)
    })
    group.on("error", (error) => end(textOf(error)))
    group.on("close", () => close(own))
    if (options.unref === true) {
      group.unref()
      own.unref()
    }
    const family = Interfaces.familyOf(address)
    const groupDrops = yield* KernelDrops.watch(family, options.port)
    const ownDrops = yield* KernelDrops.watch(family, port)
    let overflow = 0

    const opened: Open = {
      writer,
      group: groupAddress,
      // Losing an echo is no loss; one that is on its way is none that was lost, and what was counted stays.
      receiveOverflow: () => {
        const lost = reader.dropped() + Math.max(0, groupDrops() - Math.max(0, echoesOwed)) + ownDrops()
        return overflow = Math.max(overflow, lost)
      },
      end
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        receiveOverflow += opened.receiveOverflow()
        if (open === opened) open = undefined
      })
    )
    receiveBufferBytes = Math.min(group.getRecvBufferSize(), own.getRecvBufferSize())
    self = NetAddress.formatInet(reader.address)
    multicastFailuresInRow = 0
    echoesOwed = 0
    echoesSeen = false
    open = opened
    return Effect.mapBoth(reader.pull, {
      onSuccess: toReceived,
      onFailure: () =>
        McCacheError.make(
          "NetworkFailed",
          `The sockets of the group ${nameOf(options)} died: ${reason}. McCache opens them anew.`
        )
    })
  })

  return {
    multicast: (payloads) => Effect.suspend(() => send(open?.group, payloads)),
    unicast: (to, payloads) => Effect.suspend(() => send(parse(to), payloads)),
    receive,
    datagramBytesMax,
    self: () => self,
    receiveBufferBytes: () => receiveBufferBytes,
    drops: () => ({ receiveOverflow: receiveOverflow + (open?.receiveOverflow() ?? 0), sendFailures })
  }
}

const toReceived = (batch: ReadonlyArray<DatagramSocket.Datagram>): ReadonlyArray<Received> =>
  batch.map(({ address, payload }) => ({ payload, from: NetAddress.formatInet(address) }))

// ---------------------------------------------------------------------------------------------------- opening

interface Sockets {
  readonly group: Dgram.Socket
  readonly own: Dgram.Socket
  readonly groupAddress: NetAddress.InetAddress
}

const openSockets = Effect.fnUntraced(
  function*(options: Options): Effect.fn.Return<Sockets, McCacheError.McCacheError, Scope.Scope> {
    const family = Interfaces.familyOf(options.group)
    const local = Interfaces.find(options.interface, Interfaces.list(family))
    if (local === undefined) return yield* noInterface(options, "it is not there")
    const zone = family === "IPv6" ? `%${local.name}` : ""
    // IPv4 names the interface by its address, IPv6 by its zone.
    const multicastInterface = family === "IPv6" ? `::${zone}` : local.address
    const anyAddress = family === "IPv6" ? "::" : "0.0.0.0"
    // Needs no zone: the own socket's multicast interface says by which one.
    const groupAddress = parseAddress(nameOf(options))
    if (groupAddress === undefined) return yield* networkFailed(options, "its address cannot be read")
    const own = yield* acquire(options, family, false)
    yield* bind(options, own, 0, local.address)
    makeRoom(own, options.datagramBytesMax)
    yield* attempt(options, () => {
      own.setMulticastInterface(multicastInterface)
      own.setMulticastTTL(options.hops)
      own.setMulticastLoopback(true)
    })
    const group = yield* acquire(options, family, true)
    yield* bind(options, group, options.port, process.platform === "linux" ? options.group + zone : anyAddress)
    yield* attempt(options, () => group.addMembership(options.group, multicastInterface))
    enlarge(own, options.receiveBufferBytes)
    enlarge(group, options.receiveBufferBytes)
    return { group, own, groupAddress }
  }
)

const acquire = (options: Options, family: Interfaces.Family, reuseAddr: boolean) =>
  Effect.acquireRelease(
    attempt(options, () => {
      const socket = Dgram.createSocket({
        type: family === "IPv6" ? "udp6" : "udp4",
        reuseAddr,
        ipv6Only: family === "IPv6",
        lookup: numericLookup
      })
      // An error that nobody listens for would end the process.
      return socket.on("error", () => undefined)
    }),
    (socket) => Effect.sync(() => close(socket))
  )

/** All addresses are numeric: answered at once, where Node's own look-up waits a turn for every datagram. */
const numericLookup = (
  host: string,
  options: { readonly family?: number | string | undefined },
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void
): void => callback(null, host, host.includes(":") || options.family === 6 ? 6 : 4)

const bind = (
  options: Options,
  socket: Dgram.Socket,
  port: number,
  address: string
): Effect.Effect<void, McCacheError.McCacheError> =>
  Effect.callback((resume) => {
    const onError = (error: unknown): void => resume(Effect.fail(networkFailed(options, error)))
    socket.once("error", onError)
    try {
      // Not exclusive, the workers of `node:cluster` would share one socket of the primary's, and each datagram would reach
      // only one of them. It has nothing to do with `reuseAddr`, by which each has a socket of its own on the same port.
      socket.bind({ port, address, exclusive: true }, () => {
        socket.off("error", onError)
        resume(Effect.void)
      })
    } catch (error) {
      onError(error)
    }
  })

const attempt = <A>(options: Options, body: () => A): Effect.Effect<A, McCacheError.McCacheError> =>
  Effect.try({ try: body, catch: (error) => networkFailed(options, error) })

/** Some systems refuse more than their bound instead of giving less. */
const enlarge = (socket: Dgram.Socket, bytes: number): void => {
  for (let ask = bytes; ask >= 65_536; ask = ask >> 1) {
    try {
      socket.setRecvBufferSize(ask)
      return
    } catch {
      // Asks for half as much.
    }
  }
}

/** macOS sends nothing that is larger than the buffer, of 9,216 bytes if nobody asks for more. */
const makeRoom = (socket: Dgram.Socket, datagramBytesMax: number): void => {
  const bytes = 4 * datagramBytesMax
  try {
    if (socket.getSendBufferSize() < bytes) socket.setSendBufferSize(bytes)
  } catch {
    // What is not sent is counted.
  }
}

const close = (socket: Dgram.Socket): void => {
  try {
    socket.close()
  } catch {
    // It was closed before.
  }
}

// ---------------------------------------------------------------------------------------------------- words

const parseAddress = (text: Address): NetAddress.InetAddress | undefined => {
  const colon = text.lastIndexOf(":")
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "")
  const scopeIds = host.includes("%")
    ? NetAddress.scopeIdsFromInterfaces(Object.entries(networkInterfaces()))
    : undefined
  const parsed = NetAddress.inetAddressFromHostString(host, Number(text.slice(colon + 1)), scopeIds)
  return parsed._tag === "Success" ? parsed.success : undefined
}

const nameOf = (options: Options): string =>
  options.group.includes(":") ? `[${options.group}]:${options.port}` : `${options.group}:${options.port}`

const causeOf = (error: DatagramSocket.DatagramSocketError): unknown =>
  "cause" in error.reason ? error.reason.cause : error

const codeOf = (error: unknown): unknown => error instanceof Error && "code" in error ? error.code : undefined

const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const failure = (options: Options, what: string, error: unknown): McCacheError.McCacheError =>
  McCacheError.make(
    "NetworkFailed",
    `The group ${nameOf(options)} could not be opened on the interface ${options.interface}: ${what} ` +
      `(${textOf(error)}).`
  )

const noInterface = (options: Options, error: unknown): McCacheError.McCacheError =>
  failure(
    options,
    "the interface is not there or cannot multicast. There are: " +
      `${Interfaces.describe(Interfaces.list(Interfaces.familyOf(options.group)))}. Name one with MCCACHE_INTERFACE`,
    error
  )

const networkFailed = (options: Options, error: unknown): McCacheError.McCacheError => {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return failure(
        options,
        `port ${options.port} is held by a program that does not share it. Stop that program, or name another port ` +
          "with MCCACHE_MULTICAST_IP",
        error
      )
    case "EADDRNOTAVAIL":
    case "ENODEV":
    case "ENXIO":
      return noInterface(options, error)
    case "EACCES":
    case "EPERM":
      return failure(
        options,
        "the system does not permit it. Ports below 1,024 need privileges, and sandboxes and firewalls may forbid " +
          "multicast; name another port with MCCACHE_MULTICAST_IP",
        error
      )
    case "EAFNOSUPPORT":
      return failure(options, "this host has no IPv6. Name an IPv4 group with MCCACHE_MULTICAST_IP", error)
    default:
      return failure(options, "the system refused", error)
  }
}
