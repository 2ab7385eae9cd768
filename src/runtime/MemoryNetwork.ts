/**
 * A deterministic network in memory: multicast and unicast with seeded faults, under the `Clock` service. What is lost,
 * repeated, late or reordered depends only on the seed and on the order of the calls; under `TestClock` the same seed
 * gives the same trace.
 *
 * A datagram is judged when it is sent: partitions, loss, repetition and delay are decided then, for each receiver in
 * the order in which they joined. One that is under way arrives even if a partition begins meanwhile. Deliveries wait
 * in a heap for one fiber, which puts all that is due into the receivers' buffers and then wakes each receiver once.
 *
 * A receiver's buffer is bounded in bytes, counted as the kernel counts them; what does not fit is dropped and counted.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Invariant from "../domain/Invariant.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import { type Address, Network, type Received } from "../services/Network.ts"
import { type Delivery, DeliveryHeap } from "./DeliveryHeap.ts"
import * as NetworkFaults from "./NetworkFaults.ts"

/** Where a multicast goes, in what a tap sees and for `inject`. */
export const everyone: Address = "*"

/** A datagram that was handed to the network, before any fault. */
export interface Sent {
  readonly atMillis: number
  readonly from: Address
  /** `everyone` for a multicast. */
  readonly to: Address
  readonly payload: Uint8Array
}

/** What happened to deliveries since the hub was made. A multicast is one sent datagram and a delivery per receiver. */
export interface Counters {
  sent: number
  sentBytes: number
  delivered: number
  lost: number
  /** By a partition or a block. */
  blocked: number
  duplicated: number
  corrupted: number
  /** Did not fit into the receiver's buffer. */
  overflowed: number
  /** Nobody has that address now. */
  unreachable: number
  injected: number
}

export interface Options {
  /** Where randomness comes from. Default 0. */
  readonly seed?: number | undefined
  /** In [0, 1); instead of the seed. */
  readonly random?: (() => number) | undefined
  readonly faults?: Partial<NetworkFaults.Faults> | undefined
  /** Default 1,472. */
  readonly datagramBytesMax?: number | undefined
  /** Default 4 MiB. A full datagram takes 2,304 bytes of it. */
  readonly receiveBufferBytes?: number | undefined
}

export interface Hub {
  /** One member's network. It takes part from when `receive` is opened until that scope is closed. */
  readonly network: (
    address: Address,
    options?: { readonly receiveBufferBytes?: number | undefined }
  ) => Network["Service"]
  readonly layer: (
    address: Address,
    options?: { readonly receiveBufferBytes?: number | undefined }
  ) => Layer.Layer<Network>
  readonly faults: () => NetworkFaults.Faults
  /** Sets the faults of what is sent from now on; those not named are off. */
  readonly setFaults: (faults: Partial<NetworkFaults.Faults>) => void
  /** From now on only members of the same group hear each other. Those not named form one more group. */
  readonly partition: (groups: ReadonlyArray<ReadonlyArray<Address>>) => void
  /** From now on nothing gets from the one to the other; the way back is open. */
  readonly block: (from: Address, to: Address) => void
  /** Ends all partitions and blocks. Faults stay. */
  readonly heal: () => void
  /** Stalls a member, as a stopped process is: it receives nothing while its buffer fills, and what it sends waits. */
  readonly pause: (address: Address) => void
  readonly resume: (address: Address) => void
  /** Kills a member's sockets: its pull fails, and it is not reachable until `receive` is opened again. */
  readonly fail: (address: Address) => void
  /** Shows every datagram that is sent from now on. Returns what ends that. */
  readonly tap: (listener: (sent: Sent) => void) => () => void
  /** Delivers a forged or replayed datagram, past all faults and partitions. */
  readonly inject: (to: Address, payload: Uint8Array, from: Address) => Effect.Effect<void>
  readonly counters: () => Readonly<Counters>
  /** The addresses that take part now, in the order in which they joined. */
  readonly addresses: () => ReadonlyArray<Address>
}

interface Endpoint {
  readonly address: Address
  readonly receiveBufferBytes: number
  readonly arrived: Latch.Latch
  /** Receivers to which the last delivery was lost, when losses come in bursts. */
  readonly losing: Set<Endpoint>
  buffer: Array<Received>
  bufferBytes: number
  paused: boolean
  closed: boolean
  stalled: Array<{ readonly to: Address; readonly payload: Uint8Array }>
  stalledBytes: number
}

interface Totals {
  receiveOverflow: number
  sendFailures: number
}

/** A delivery that is due within this is due: times are sums of fractions. */
const toleranceMillis = 0.001

/** What the kernel charges a receive buffer for a datagram: its memory is handed out in powers of two. */
const chargeBytes = (bytes: number): number => 2 ** Math.ceil(Math.log2(bytes + 512)) + 256

/** Makes a network that lives as long as the scope. */
export const make = Effect.fnUntraced(function*(options: Options = {}): Effect.fn.Return<Hub, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const random = options.random ?? NetworkFaults.mulberry32(options.seed ?? 0)
  const datagramBytesMax = options.datagramBytesMax ?? 1_472
  const endpoints = new Map<Address, Endpoint>()
  const totals = new Map<Address, Totals>()
  const pausedAddresses = new Set<Address>()
  const sides = new Map<Address, number>()
  const blocks = new Map<Address, Set<Address>>()
  const taps = new Set<(sent: Sent) => void>()
  const waiting = new DeliveryHeap<Endpoint>()
  const due = Latch.makeUnsafe()
  const counters: Counters = {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    lost: 0,
    blocked: 0,
    duplicated: 0,
    corrupted: 0,
    overflowed: 0,
    unreachable: 0,
    injected: 0
  }
  let faults = NetworkFaults.make(options.faults ?? {})
  let order = 0

  const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

  const totalsOf = (address: Address): Totals => {
    const held = totals.get(address) ?? { receiveOverflow: 0, sendFailures: 0 }
    totals.set(address, held)
    return held
  }

  // ---------------------------------------------------------------------------------------------- sending

  const reaches = (from: Address, to: Address): boolean =>
    (sides.size === 0 || sides.get(from) === sides.get(to)) && blocks.get(from)?.has(to) !== true

  const loses = (from: Endpoint, to: Endpoint): boolean => {
    const lost = NetworkFaults.loses(faults, from.losing.has(to), random)
    if (lost) from.losing.add(to)
    else from.losing.delete(to)
    return lost
  }

  const schedule = (from: Address, to: Endpoint, payload: Uint8Array): void => {
    const dueMillis = now() + NetworkFaults.delayMillis(faults, random)
    // Every receiver gets bytes of its own, as from a kernel.
    const copy = new Uint8Array(payload)
    if (NetworkFaults.happens(faults.corruption, random)) {
      counters.corrupted++
      NetworkFaults.corrupt(copy, random)
    }
    waiting.push({ dueMillis, order: order++, to, from, payload: copy })
  }

  const carry = (from: Endpoint, to: Endpoint, payload: Uint8Array): void => {
    if (!reaches(from.address, to.address)) {
      counters.blocked++
      return
    }
    if (payload.length > faults.datagramBytesMax || loses(from, to)) {
      counters.lost++
      return
    }
    schedule(from.address, to, payload)
    if (NetworkFaults.happens(faults.duplication, random)) {
      counters.duplicated++
      schedule(from.address, to, payload)
    }
  }

  const emit = (from: Endpoint, to: Address, payload: Uint8Array): void => {
    counters.sent++
    counters.sentBytes += payload.length
    if (taps.size > 0) {
      const sent = { atMillis: now(), from: from.address, to, payload: new Uint8Array(payload) }
      for (const tap of taps) tap(sent)
    }
    if (to === everyone) {
      for (const receiver of endpoints.values()) if (receiver !== from) carry(from, receiver, payload)
      return
    }
    const receiver = endpoints.get(to)
    if (receiver === undefined) counters.unreachable++
    else carry(from, receiver, payload)
  }

  const send = (address: Address, to: Address, payloads: ReadonlyArray<Uint8Array>): Effect.Effect<void> => {
    const from = endpoints.get(address)
    for (const payload of payloads) {
      if (from === undefined || payload.length > datagramBytesMax) totalsOf(address).sendFailures++
      else if (!from.paused) emit(from, to, payload)
      else if (from.stalledBytes + chargeBytes(payload.length) > from.receiveBufferBytes) {
        totalsOf(address).sendFailures++
      } else {
        from.stalled.push({ to, payload: new Uint8Array(payload) })
        from.stalledBytes += chargeBytes(payload.length)
      }
    }
    return waiting.size === 0 ? Effect.void : Effect.asVoid(due.open)
  }

  // ---------------------------------------------------------------------------------------------- delivering

  const deliver = ({ from, payload, to }: Delivery<Endpoint>): void => {
    const bytes = chargeBytes(payload.length)
    if (to.closed) {
      counters.unreachable++
    } else if (to.bufferBytes + bytes > to.receiveBufferBytes) {
      counters.overflowed++
      totalsOf(to.address).receiveOverflow++
    } else {
      counters.delivered++
      to.bufferBytes += bytes
      to.buffer.push({ payload, from })
    }
  }

  const take = (endpoint: Endpoint): ReadonlyArray<Received> => {
    const batch = endpoint.buffer
    endpoint.buffer = []
    endpoint.bufferBytes = 0
    endpoint.arrived.closeUnsafe()
    return batch
  }

  const deliverDue = (): void => {
    const until = now() + toleranceMillis
    const woken = new Set<Endpoint>()
    for (let next = waiting.peek(); next !== undefined && next.dueMillis <= until; next = waiting.peek()) {
      waiting.pop()
      deliver(next)
      woken.add(next.to)
    }
    for (const endpoint of woken) if (!endpoint.paused && endpoint.buffer.length > 0) endpoint.arrived.openUnsafe()
  }

  /** The one fiber that delivers, and the one sleeper that wakes it. */
  const run = Effect.gen(function*() {
    let armed = Infinity
    let sleeper: Fiber.Fiber<void> | undefined
    while (true) {
      yield* due.await
      due.closeUnsafe()
      deliverDue()
      const next = waiting.peek()?.dueMillis ?? Infinity
      if (next >= armed || due.isOpen()) continue
      if (sleeper !== undefined) yield* Fiber.interrupt(sleeper)
      armed = next
      sleeper = yield* Effect.forkChild(Effect.andThen(
        clock.sleep(Duration.millis(Math.max(0, next - now()))),
        Effect.sync(() => {
          armed = Infinity
          sleeper = undefined
          due.openUnsafe()
        })
      ))
    }
  })
  yield* Effect.forkScoped(run)

  // ---------------------------------------------------------------------------------------------- members

  const detach = (endpoint: Endpoint): void => {
    endpoint.closed = true
    endpoint.buffer = []
    endpoint.stalled = []
    if (endpoints.get(endpoint.address) === endpoint) endpoints.delete(endpoint.address)
    for (const other of endpoints.values()) other.losing.delete(endpoint)
    endpoint.arrived.openUnsafe()
  }

  const pullFrom = (endpoint: Endpoint): Effect.Effect<ReadonlyArray<Received>, McCacheError.McCacheError> => {
    const pull: Effect.Effect<ReadonlyArray<Received>, McCacheError.McCacheError> = Effect.suspend(() => {
      if (endpoint.closed) {
        return McCacheError.make("NetworkFailed", `The sockets of ${endpoint.address} died. McCache opens them anew.`)
      }
      if (endpoint.buffer.length > 0 && !endpoint.paused) return Effect.succeed(take(endpoint))
      endpoint.arrived.closeUnsafe()
      return Effect.andThen(endpoint.arrived.await, pull)
    })
    return pull
  }

  const attach = Effect.fnUntraced(function*(address: Address, receiveBufferBytes: number) {
    if (endpoints.has(address)) {
      return yield* McCacheError.make("NetworkFailed", `The address ${address} is taken. Give each member its own.`)
    }
    const endpoint: Endpoint = {
      address,
      receiveBufferBytes,
      arrived: Latch.makeUnsafe(),
      losing: new Set(),
      buffer: [],
      bufferBytes: 0,
      paused: pausedAddresses.has(address),
      closed: false,
      stalled: [],
      stalledBytes: 0
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => endpoints.set(address, endpoint)),
      () => Effect.sync(() => detach(endpoint))
    )
    return pullFrom(endpoint)
  })

  const network: Hub["network"] = (address, own) => {
    const receiveBufferBytes = own?.receiveBufferBytes ?? options.receiveBufferBytes ?? 4_194_304
    Invariant.check(address !== everyone, `${everyone} is not an address of one member`)
    return {
      multicast: (payloads) => Effect.suspend(() => send(address, everyone, payloads)),
      unicast: (to, payloads) => Effect.suspend(() => send(address, to, payloads)),
      receive: attach(address, receiveBufferBytes),
      datagramBytesMax,
      self: () => address,
      receiveBufferBytes: () => receiveBufferBytes,
      drops: () => ({ ...totalsOf(address) })
    }
  }

  return {
    network,
    layer: (address, own) => Layer.sync(Network, () => network(address, own)),
    faults: () => faults,
    setFaults: (next) => {
      faults = NetworkFaults.make(next)
    },
    partition: (groups) => {
      sides.clear()
      for (const [side, group] of groups.entries()) for (const address of group) sides.set(address, side)
    },
    block: (from, to) => {
      const blocked = blocks.get(from) ?? new Set()
      blocks.set(from, blocked.add(to))
    },
    heal: () => {
      sides.clear()
      blocks.clear()
    },
    pause: (address) => {
      pausedAddresses.add(address)
      const endpoint = endpoints.get(address)
      if (endpoint !== undefined) endpoint.paused = true
    },
    resume: (address) => {
      pausedAddresses.delete(address)
      const endpoint = endpoints.get(address)
      if (endpoint === undefined || !endpoint.paused) return
      endpoint.paused = false
      const { stalled } = endpoint
      endpoint.stalled = []
      endpoint.stalledBytes = 0
      for (const { payload, to } of stalled) emit(endpoint, to, payload)
      if (waiting.size > 0) due.openUnsafe()
      if (endpoint.buffer.length > 0) endpoint.arrived.openUnsafe()
    },
    fail: (address) => {
      const endpoint = endpoints.get(address)
      if (endpoint !== undefined) detach(endpoint)
    },
    tap: (listener) => {
      taps.add(listener)
      return () => void taps.delete(listener)
    },
    inject: (to, payload, from) =>
      Effect.suspend(() => {
        const receivers = to === everyone ? [...endpoints.values()] : [endpoints.get(to)]
        for (const receiver of receivers) {
          counters.injected++
          if (receiver === undefined) counters.unreachable++
          else waiting.push({ dueMillis: now(), order: order++, to: receiver, from, payload: new Uint8Array(payload) })
        }
        return Effect.asVoid(due.open)
      }),
    counters: () => ({ ...counters }),
    addresses: () => [...endpoints.keys()]
  }
})

/**
 * A member's own clock: the base's time plus an offset in milliseconds, which may change with time (drift). It sleeps
 * on the base, and its monotonic time is the base's.
 */
export const skewedClock = (
  base: Clock.Clock,
  offset: () => number,
  stopped: Latch.Latch = Latch.makeUnsafe(true)
): Clock.Clock => {
  const millis = (): number => base.currentTimeMillisUnsafe() + offset()
  const nanos = (): bigint => base.currentTimeNanosUnsafe() + BigInt(Math.round(offset() * 1e6))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => base.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: base.monotonicTimeNanos,
    sleep: (duration) => Effect.andThen(base.sleep(duration), stopped.await)
  }
}
