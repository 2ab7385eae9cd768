/**
 * The Multicaster: the one actor that sends. It owns the member's stream (numbers and the buffer for repeats), the flow
 * window, and the waits for others. In one batch it first takes in what the receivers said (ACK, NACK), then sends
 * control messages, then repeats, then new data as far as the window allows.
 *
 * Requires from below: `Network`, best effort. Guarantees above:
 *
 * 1. A number's content never changes, and a number is never used again, also after the actor was restarted.
 * 2. Nothing is sent under a number while no member counts: who comes later gets it by transfer.
 * 3. After the last data its number is announced until everybody has settled it (tail loss).
 * 4. Not more than `yieldDatagrams` datagrams of data leave without a yield.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Barriers from "../domain/Barriers.ts"
import type { Protocol } from "../domain/Configuration.ts"
import * as FlowWindow from "../domain/FlowWindow.ts"
import * as Framing from "../domain/Framing.ts"
import type * as HybridClock from "../domain/HybridClock.ts"
import type { Ack, Control, Nack } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import type { Places } from "../domain/Outbox.ts"
import * as Protocols from "../domain/Protocol.ts"
import * as SendStream from "../domain/SendStream.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as Actor from "./Actor.ts"
import type { Counters } from "./Counters.ts"
import * as Drain from "./Drain.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"
import type { Address, Network } from "./Network.ts"
import type { OperationLog } from "./OperationLog.ts"
import { margins, type Sealing } from "./Sealing.ts"

/** Where a control message goes: one member (its id authenticates the datagram), or everybody. */
export interface Destination {
  readonly id: MemberId
  readonly address: Address
}

type Message =
  | { readonly _tag: "Control"; readonly to: Destination | undefined; readonly operation: Control }
  | { readonly _tag: "Ack"; readonly from: Destination; readonly ack: Ack }
  | { readonly _tag: "Nack"; readonly from: Destination; readonly nack: Nack }
  | { readonly _tag: "Ready" | "Left"; readonly member: MemberId }

/** What the Multicaster needs from the member that it belongs to. */
export interface Host {
  readonly self: MemberId
  readonly time: MemberTime
  readonly clock: HybridClock.HybridClock
  readonly protocol: Protocol
  readonly counters: Counters
  readonly operations: OperationLog
  readonly sealing: Sealing
  readonly network: Network["Service"]
  readonly datagramBytesMax: number
  readonly places: Places
  readonly namespaces: ReadonlyMap<string, Namespace>
  /** Whether this member knows of nobody, and has looked. */
  readonly alone: () => boolean
  readonly ready: () => boolean
  /** The floor of clears of all namespaces. */
  readonly floor: () => number
  readonly lagging: (member: MemberId) => void
  /** Whether another member has caught up with the cluster. */
  readonly isReady: (member: MemberId) => boolean
}

const repeatsPerTurnMax = 256
const queueCapacityMessages = 65_536

export interface Multicaster {
  readonly actor: Actor.Actor<Message>
  readonly wake: () => void
  readonly send: (to: Destination | undefined, operation: Control) => void
  readonly acknowledged: (from: Destination, ack: Ack) => void
  readonly missed: (from: Destination, nack: Nack) => void
  /** Another member has caught up with the cluster. */
  readonly caughtUp: (member: MemberId) => void
  readonly left: (member: MemberId) => void
  /** The first number that a member that proves us now will hear. */
  readonly first: () => number
  readonly lowest: () => number
  readonly highest: () => number
  /** Sends a clear of a namespace that is not open here, or of all (`""`). */
  readonly clear: (namespace: string, clock: number) => void
  /** Forgets the clears that were not sent yet. */
  readonly dropClears: () => void
  /** Peers must repair from this member: a number is given up on purpose. */
  readonly skip: () => void
  readonly barriers: Barriers.Barriers
  /** Numbers that a member has not settled yet; `undefined` when it never acknowledged anything. */
  readonly lagging: () => ReadonlyArray<MemberId>
  readonly lagOf: (member: MemberId) => number | undefined
  readonly windowDatagrams: () => number
  readonly retainedBytes: () => number
  /** Whether everything was sent and settled by all that count. */
  readonly drained: () => boolean
  readonly outboxKeys: () => number
}

export const start = Effect.fnUntraced(function*(host: Host): Effect.fn.Return<Multicaster, never, Scope.Scope> {
  const { counters, network, operations, protocol, sealing, time } = host
  const bodyBytesMax = host.datagramBytesMax - sealing.overheadBytes
  const stream = SendStream.make({
    retainBytesMax: protocol.retainBytesMax,
    resendIntervalMillis: protocol.resendIntervalMillis
  })
  const flow = FlowWindow.make({
    laggardMillis: protocol.laggardMillis,
    windowInitial: protocol.windowInitial,
    windowMin: protocol.windowMin
  })
  const barriers = Barriers.make()
  const ids = Framing.makeRecordIds()
  const prefixBytes = Framing.bodyPrefixBytes.data
  const drain = Drain.make({
    ...host,
    packer: new Framing.Packer({ bodyBytesMax: bodyBytesMax - prefixBytes, ids, prefixBytes, margins })
  })
  const controlPacker = new Framing.Packer({ bodyBytesMax: bodyBytesMax - Framing.bodyPrefixBytes.control, ids })

  let pulseDue = Infinity
  let pulseIntervalMillis = 0
  let releaseDue = Infinity
  /** After LEAVE nothing else is sent: whoever forgot this member would meet it again, and wait for it until it is removed. */
  let farewell = false

  /** What a member has of this stream. One that is still catching up lacks what was sent before it came. */
  const settledOf = (member: MemberId): number => host.isReady(member) ? FlowWindow.settledOf(flow, member) ?? 0 : -1

  // ------------------------------------------------------------------------------------------------ outgoing

  const multicasts: Array<Uint8Array> = []
  let unicasts = new Map<Address, Array<Uint8Array>>()

  const sealTo = (to: Destination | undefined, body: Uint8Array): void => post(to, sealing.seal(body, to?.id))

  const post = (to: Destination | undefined, datagram: Uint8Array): void => {
    counters.datagramsOut++
    counters.bytesOut += datagram.length
    if (to === undefined) {
      multicasts.push(datagram)
      return
    }
    const list = unicasts.get(to.address)
    if (list === undefined) unicasts.set(to.address, [datagram])
    else list.push(datagram)
  }

  const dispatch = (): Effect.Effect<void> | undefined => {
    const sends: Array<Effect.Effect<void>> = []
    if (multicasts.length > 0) sends.push(network.multicast(multicasts.splice(0)))
    for (const [address, payloads] of unicasts) sends.push(network.unicast(address, payloads))
    // Not `clear`, as in the Listener.
    unicasts = new Map()
    return sends.length === 0 ? undefined : sends.length === 1 ? sends[0] : Effect.all(sends, { discard: true })
  }

  const sendControls = (to: Destination | undefined, controls: ReadonlyArray<Control>): void => {
    // All before any is packed: what cannot be encoded must not leave others in the packer for the next destination.
    const records = controls.map(OperationCodec.encodeControl)
    for (const operation of controls) operations.sent(operation, to?.id)
    for (const record of records) {
      for (const pieces of controlPacker.add(record)) sealTo(to, Framing.controlBody(pieces))
    }
    const rest = controlPacker.flush()
    if (rest !== undefined) sealTo(to, Framing.controlBody(rest))
  }

  const pulse = (asks = true): Control => ({
    _tag: "PULSE",
    lowest: SendStream.lowest(stream),
    highest: SendStream.highest(stream),
    physicalMillis: time.physical(),
    clock: host.clock.last,
    ready: host.ready(),
    asks,
    floor: host.floor(),
    namespaces: []
  })

  /** Tells with the farewell what was sent last: who misses some of it, or of what could not be sent, asks the others. */
  const leave = (farewell: Control): void => {
    if (drain.pending()) {
      SendStream.skip(stream)
      drain.dropAll()
    }
    sendControls(undefined, [pulse(false), farewell])
  }

  // ------------------------------------------------------------------------------------------------ data

  const sendData = (now: number): void => {
    drain.look()
    const counted = FlowWindow.counted(flow)
    if (counted === 0) {
      if (host.alone()) {
        // Who comes later must know that something was written before.
        if (drain.pending()) SendStream.skip(stream)
        drain.dropAll()
        Barriers.onSent(barriers, Infinity, SendStream.highest(stream), settledOf)
      }
      return
    }
    let budget = Math.min(protocol.yieldDatagrams, FlowWindow.available(flow, SendStream.highest(stream)))
    while (budget > 0) {
      const body = drain.next()
      if (body === undefined) break
      budget--
      const number = SendStream.highest(stream) + 1
      // The last one that the window allows asks to be acknowledged at once, so that the window opens again soon.
      Framing.numberBody(body, number, budget === 0)
      SendStream.append(stream, body)
      post(undefined, sealing.sealInPlace(body))
      FlowWindow.sent(flow, number, now)
      pulseIntervalMillis = protocol.tailPulseMillis
      pulseDue = now + pulseIntervalMillis
    }
    if (barriers.active.size > 0) {
      Barriers.onSent(barriers, drain.oldestPlace(), SendStream.highest(stream), settledOf)
    }
  }

  // ------------------------------------------------------------------------------------------------ repeats

  const repeat = (nacks: ReadonlyArray<{ readonly from: Destination; readonly nack: Nack }>, now: number): void => {
    const wanted = new Map<number, Destination>()
    for (const { from, nack } of nacks) {
      FlowWindow.onLoss(flow, from.id, now)
      for (const number of SendStream.resend(stream, nack.ranges, now, repeatsPerTurnMax - wanted.size, from.id)) {
        wanted.set(number, from)
      }
    }
    for (const [number, destination] of wanted) {
      const body = SendStream.body(stream, number)
      if (body !== undefined) {
        counters.repaired++
        sealTo(SendStream.isForAll(stream, number) ? undefined : destination, body)
      }
    }
    // What was asked for and is not kept any more must be known, so that the receiver turns to repair.
    for (const { from, nack } of nacks) {
      if (nack.ranges.some((range) => range.from < SendStream.lowest(stream))) sendControls(from, [pulse()])
    }
  }

  // ------------------------------------------------------------------------------------------------ the actor

  const handle = (messages: ReadonlyArray<Message>): Effect.Effect<void> | undefined => {
    if (farewell) {
      for (const message of messages) {
        if (message._tag === "Control" && message.operation._tag === "LEAVE") leave(message.operation)
      }
      return dispatch()
    }
    const now = time.ticks()
    const controls = new Map<
      MemberId | undefined,
      { readonly to: Destination | undefined; readonly list: Array<Control> }
    >()
    const nacks: Array<{ readonly from: Destination; readonly nack: Nack }> = []
    for (const message of messages) {
      switch (message._tag) {
        case "Control": {
          if (message.operation._tag === "LEAVE") {
            farewell = true
            leave(message.operation)
            break
          }
          const group = controls.get(message.to?.id)
          if (group === undefined) controls.set(message.to?.id, { to: message.to, list: [message.operation] })
          else group.list.push(message.operation)
          break
        }
        case "Ack": {
          const { ack, from } = message
          // Nobody can have what was never sent.
          if (ack.received > SendStream.highest(stream) || ack.settled > ack.received) {
            counters.refused.malformed++
            break
          }
          FlowWindow.onAck(flow, from.id, ack, now, SendStream.lowest(stream), SendStream.highest(stream))
          // What all have settled goes at once: a second's worth lives so long that only full collections free it.
          releaseDue = now
          // What a member has of all namespaces is asked only when somebody waits for it.
          if (barriers.active.size > 0) Barriers.onSettled(barriers, from.id, settledOf(from.id))
          break
        }
        case "Nack":
          nacks.push(message)
          break
        case "Ready":
          Barriers.onSettled(barriers, message.member, settledOf(message.member))
          break
        case "Left":
          FlowWindow.leave(flow, message.member)
          Barriers.onLeft(barriers, message.member)
          break
      }
    }
    for (const group of controls.values()) sendControls(group.to, group.list)
    if (farewell) return dispatch()
    if (nacks.length > 0) repeat(nacks, now)
    sendData(now)
    for (const member of FlowWindow.due(flow, now)) host.lagging(member)
    announce(now)
    if (now >= releaseDue) {
      releaseDue = Infinity
      const settled = FlowWindow.settledByAll(flow)
      if (Number.isFinite(settled)) SendStream.settle(stream, settled, now)
      // Whoever comes from now on begins after this, or repairs.
      else if (host.alone()) SendStream.settle(stream, SendStream.highest(stream), now)
    }
    if (releaseDue === Infinity && SendStream.retainedBytes(stream) > 0) releaseDue = now + protocol.heartbeatMillis
    return dispatch()
  }

  /** Tells the highest number after the last data, and asks when the window is closed. */
  const announce = (now: number): void => {
    // Also while nobody counts: the first acknowledgement of the only other member may be lost.
    const closed = drain.pending() && FlowWindow.available(flow, SendStream.highest(stream)) <= 0 && !host.alone()
    if (!closed) FlowWindow.rest(flow)
    else if (FlowWindow.probe(flow, now)) {
      sendControls(undefined, [pulse()])
      return
    }
    // Whoever is waited for may never have been heard to acknowledge anything: its first acknowledgement may be lost.
    const waiting = barriers.active.size > 0
    if (waiting && pulseDue === Infinity) {
      pulseIntervalMillis = protocol.tailPulseMillis
      pulseDue = now + pulseIntervalMillis
    }
    if (now < pulseDue) return
    // Also those that lag are asked, at the pace of heartbeats: an acknowledgement that was lost is told again only then.
    if (!waiting && FlowWindow.settledByAll(flow) >= SendStream.highest(stream)) {
      pulseDue = Infinity
      return
    }
    sendControls(undefined, [pulse()])
    // The next one waits for all answers to this one, which a large cluster spreads.
    const spread = Protocols.ackSpreadMillis(protocol, flow.receivers.size)
    pulseIntervalMillis = Math.min(Math.max(2 * pulseIntervalMillis, spread), protocol.heartbeatMillis)
    pulseDue = now + pulseIntervalMillis
  }

  const nextDue = (): number => {
    if (farewell) return Infinity
    let due = Math.min(pulseDue, drain.heldUntil(), releaseDue, FlowWindow.nextDue(flow))
    if (drain.pending() && drain.heldUntil() === Infinity) {
      const sendable = FlowWindow.counted(flow) === 0
        ? host.alone()
        : FlowWindow.available(flow, SendStream.highest(stream)) > 0
      if (sendable) due = 0
    }
    return due
  }

  const actor = yield* Actor.start<Message>({
    name: "multicaster",
    capacity: queueCapacityMessages,
    handle,
    nextDue
  }, time.ticks)

  return {
    actor,
    wake: actor.wake,
    send: (to, operation) => void actor.offer({ _tag: "Control", to, operation }),
    acknowledged: (from, ack) => void actor.offer({ _tag: "Ack", from, ack }),
    missed: (from, nack) => void actor.offer({ _tag: "Nack", from, nack }),
    caughtUp: (member) => void actor.offer({ _tag: "Ready", member }),
    left: (member) => void actor.offer({ _tag: "Left", member }),
    first: () => {
      // What some counted member has not settled yet may be unknown to the donor too: the newcomer hears it itself.
      const lowest = SendStream.lowest(stream)
      const stable = FlowWindow.stable(flow, lowest)
      const first = Number.isFinite(stable) ? Math.max(lowest, stable + 1) : SendStream.highest(stream) + 1
      SendStream.promise(stream, first, time.ticks(), 2 * protocol.challengeIntervalMillis)
      return first
    },
    lowest: () => SendStream.lowest(stream),
    highest: () => SendStream.highest(stream),
    clear: (namespace, clock) => {
      drain.clear(namespace, clock)
      actor.wake()
    },
    dropClears: drain.dropClears,
    skip: () => {
      SendStream.skip(stream)
      pulseIntervalMillis = protocol.tailPulseMillis
      pulseDue = Math.min(pulseDue, time.ticks() + pulseIntervalMillis)
      actor.wake()
    },
    barriers,
    lagging: () => FlowWindow.lagging(flow),
    lagOf: (member) => {
      const settled = FlowWindow.settledOf(flow, member)
      return settled === undefined ? undefined : Math.max(0, SendStream.highest(stream) - settled)
    },
    windowDatagrams: () => FlowWindow.windowOf(flow),
    retainedBytes: () => SendStream.retainedBytes(stream),
    drained: () =>
      !drain.pending() && (FlowWindow.counted(flow) === 0 || FlowWindow.stable(flow) >= SendStream.highest(stream)),
    outboxKeys: drain.outboxKeys
  }
})
