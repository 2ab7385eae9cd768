/**
 * The Listener: the one actor that reads. It owns the sessions, the receive streams and the reassembly. It opens, checks
 * and decodes datagrams, puts the events of a batch on the inboxes of the namespaces that they belong to, hands what
 * receivers say to the Multicaster and everything else to the Housekeeper, and says what it has and what it misses.
 *
 * On reception of a datagram: header, then authenticity, then freshness, then framing, then each record. Whatever fails a
 * step is counted by reason and dropped. A number is acknowledged as settled when all that it carries is folded.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Protocol } from "../domain/Configuration.ts"
import * as Datagram from "../domain/Datagram.ts"
import * as Framing from "../domain/Framing.ts"
import type * as HybridClock from "../domain/HybridClock.ts"
import type { McCacheError } from "../domain/McCacheError.ts"
import type { MemberLabel } from "../domain/MemberLabel.ts"
import type { Control, Operation, Proof, Write } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import * as Protocols from "../domain/Protocol.ts"
import * as Reassembly from "../domain/Reassembly.ts"
import * as ReceiveStream from "../domain/ReceiveStream.ts"
import type * as Replica from "../domain/Replica.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as WriteCodec from "../domain/WriteCodec.ts"
import * as Actor from "./Actor.ts"
import type { Counters } from "./Counters.ts"
import * as Credit from "./Credit.ts"
import * as Meeting from "./Meeting.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Destination, Multicaster } from "./Multicaster.ts"
import type { Delivery, Namespace, Token } from "./Namespace.ts"
import type { Address, Network, Received } from "./Network.ts"
import type { OperationLog } from "./OperationLog.ts"
import * as RemoteEvent from "./RemoteEvent.ts"
import type { Sealing } from "./Sealing.ts"
import * as Sessions from "./Sessions.ts"
import type { Witness } from "./Witness.ts"

type Message =
  | { readonly _tag: "Received"; readonly batch: ReadonlyArray<Received> }
  | { readonly _tag: "Settled"; readonly tokens: ReadonlyArray<Token> }
  | { readonly _tag: "Repaired"; readonly member: MemberId; readonly upTo: number }
  | { readonly _tag: "Forget"; readonly member: MemberId }

/** What the Listener needs from the member that it belongs to. */
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
  readonly recordBytesMax: () => number
  readonly random: () => number
  readonly entropy: (bytes: number) => Uint8Array
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly multicaster: Multicaster
  readonly label: MemberLabel & { readonly version: string }
  readonly ready: () => boolean
  /** A sender proved itself. */
  readonly met: (from: Destination, proof: Proof) => void
  /** The newest datagram yet of a trusted sender's cast arrived. */
  readonly heard: (member: MemberId, address: Address) => void
  /** A message for the Housekeeper. */
  readonly control: (from: Destination, operation: Control) => void
  /** Numbers of a sender were given up: repair with it. */
  readonly gap: (member: MemberId) => void
  /** A sender was met that had sent something before. */
  readonly behind: (member: MemberId) => void
  /** A clear of all namespaces. False: refused, the stamp is too far ahead. */
  readonly clearAll: (clock: number) => boolean
  /** A write of a namespace that is not open here, or of all. */
  readonly overheard: (operation: Write) => void
  readonly witness: Witness | undefined
}

export interface Listener {
  readonly actor: Actor.Actor<Message>
  readonly settled: (tokens: ReadonlyArray<Token>) => void
  /** A repair that covers this sender's numbers up to `upTo` is done. */
  readonly repaired: (member: MemberId, upTo: number) => void
  readonly forget: (member: MemberId) => void
  readonly isTrusted: (member: MemberId) => boolean
  /** The greatest number of a sender that is known to exist: what a repair that begins now will cover. */
  readonly highestOf: (member: MemberId) => number
  /** The greatest number of a sender that was given up and is not made good; 0 for none. */
  readonly givenUpOf: (member: MemberId) => number
  /** Up to which number of each sender everything is folded. */
  readonly settledOfAll: () => ReadonlyArray<{ readonly sender: MemberId; readonly number: number }>
  /** Whether numbers of some sender are missing or given up. */
  readonly hasGap: () => boolean
  /** Whether somebody is being met. */
  readonly meeting: () => boolean
  readonly creditDatagrams: () => number
  readonly reassemblyBytes: () => number
  /** Senders that are not trusted (yet), and how many of their datagrams wait. */
  readonly strangers: () => number
  readonly parkedDatagrams: () => number
  /** The scope-long fiber that pulls from the network; it reopens the sockets when they die. */
  readonly pump: Actor.Loop
}

const queueCapacityMessages = 65_536
export const start = Effect.fnUntraced(function*(host: Host): Effect.fn.Return<Listener, McCacheError, Scope.Scope> {
  const { counters, multicaster, network, operations, protocol, sealing, time } = host
  // Several senders may be at a large record at once, but not all of a large cluster.
  const budget = Reassembly.makeBudget(4 * protocol.reassemblyBytesMax)
  const sessions = Sessions.make({
    protocol,
    budget,
    recordBytesMax: host.recordBytesMax,
    random: host.random,
    entropy: host.entropy
  })
  let deliveries = new Map<Namespace, Delivery>()
  let sweepDue = 0
  /** Those whose streams may have something due since this turn began, and when the first of the others has, or earlier. */
  let touched = new Set<Sessions.Session>()
  let reportDue = Infinity
  /** The time of what is being handled: what an inbox that rested folds meanwhile is settled with it. */
  let handlingTicks: number | undefined

  const accept = (session: Sessions.Session, header: Datagram.Header): boolean => {
    const fresh = Sessions.accept(session, header)
    if (fresh) host.witness?.accepted(host.self, header)
    return fresh
  }

  const credit = (now: number): number =>
    Credit.datagrams(network, host.datagramBytesMax, sessions.trusted.values(), now)

  // ------------------------------------------------------------------------------------------------ trusted senders

  const datagram = (received: Received, now: number): void => {
    counters.datagramsIn++
    counters.bytesIn += received.payload.length
    const header = Datagram.decodeHeader(received.payload)
    if (header === undefined) {
      counters.refused.malformed++
      counters.refusedFrom.set("malformed", received.from)
      return
    }
    if (header.sender === host.self) return
    const body = sealing.open(received.payload, header)
    if (typeof body === "string") {
      counters.refused[body]++
      counters.refusedFrom.set(body, received.from)
      return
    }
    const session = sessions.trusted.get(header.sender)
    if (session === undefined) {
      meeting.meet(header, body, received.from, now)
      return
    }
    const newest = Sessions.isNewest(session, header)
    if (!accept(session, header)) {
      counters.refused.replayed++
      return
    }
    // A late one, or a recording of one that was lost here, moves nobody and is no sign of life.
    if (newest) {
      session.address = received.from
      host.heard(session.id, session.address)
    }
    read(session, body, now)
  }

  /** Takes in an authentic, fresh body. */
  const read = (session: Sessions.Session, body: Uint8Array, now: number): void => {
    let token: Token | undefined
    let skip = false
    const inBody = new WriteCodec.Preceding()
    touched.add(session)
    const record = (bytes: Uint8Array, start: number, end: number, preceding = inBody): void => {
      if (skip) return
      const operation = OperationCodec.decode(bytes, session.id, start, end, preceding)
      if (operation === undefined) {
        counters.refused.malformed++
        // A later version may know more tags. But no member sends what is no operation, and to find that out may take
        // milliseconds, as the decoder makes room for up to 2^20 items that are only claimed: the rest is not read.
        if (OperationCodec.isKnown(bytes, start)) {
          skip = true
          if (token !== undefined) token.refused = true
        }
        return
      }
      operations.received(operation, session.id)
      route(session, operation, token, now)
    }
    const valid = Framing.readBody(body, {
      data: (number, asks) => {
        session.dataTicks = now
        const outcome = ReceiveStream.receive(session.stream, number, now)
        if (asks) ReceiveStream.ackAsked(session.stream, now)
        if (outcome === "new") {
          // The Listener's own share keeps the token open until the whole body is read.
          token = { sender: session.id, number, remaining: 1, refused: false }
        } else if (outcome === "duplicate") {
          counters.duplicates++
          skip = true
        }
      },
      whole: record,
      part: (part) => {
        if (skip) return
        const offer = Reassembly.offer(session.reassembly, part, now, token?.number)
        switch (offer._tag) {
          case "Whole":
            record(offer.record, 0, offer.record.length, new WriteCodec.Preceding())
            break
          case "Partial":
            break
          case "Full":
            counters.refused.reassembly++
            if (token !== undefined) token.refused = true
            break
          case "Corrupt":
            counters.refused.malformed++
            if (token !== undefined) token.refused = true
            break
          case "TooLarge":
            // What it replaces must go: a repair finds that.
            counters.refused.oversized++
            if (token !== undefined) token.refused = true
        }
      }
    })
    if (!valid) counters.refused.malformed++
    if (token !== undefined) settle(token, now)
  }

  const route = (session: Sessions.Session, operation: Operation, token: Token | undefined, now: number): void => {
    const from = session
    switch (operation._tag) {
      case "PUT":
      case "DEL":
      case "CLEAR": {
        if (operation._tag === "CLEAR" && operation.namespace === "") {
          if (host.clearAll(operation.clock)) return host.overheard(operation)
          counters.refused.clock++
          if (token !== undefined) token.refused = true
          return
        }
        const namespace = host.namespaces.get(operation.namespace)
        if (namespace === undefined) return host.overheard(operation)
        if (namespace.refusedMembers.has(session.id)) {
          counters.refused.options++
          return
        }
        deliver(namespace, RemoteEvent.make(operation), token)
        return
      }
      case "ACK":
        multicaster.acknowledged(from, operation)
        return
      case "NACK":
        multicaster.missed(from, operation)
        return
      case "CHALLENGE":
        meeting.prove(from, operation.nonce, now)
        return
      case "PROOF":
        return
      case "PULSE":
        ReceiveStream.announce(session.stream, operation.lowest, operation.highest, now)
        if (operation.asks) ReceiveStream.ackAsked(session.stream, now)
        host.control(from, operation)
        return
      default:
        host.control(from, operation)
    }
  }

  const meeting = Meeting.make({
    ...host,
    sessions,
    accept,
    read,
    route: (session, operation, now) => route(session, operation, undefined, now),
    trusted: (session, from, proof) => {
      host.met(from, proof)
      if (ReceiveStream.abandoned(session.stream)) host.behind(session.id)
      touched.add(session)
    }
  })

  const deliver = (namespace: Namespace, event: Replica.Event, token: Token | undefined): void => {
    let delivery = deliveries.get(namespace)
    if (delivery === undefined) {
      delivery = { events: [], tokens: [], ends: [] }
      deliveries.set(namespace, delivery)
    }
    delivery.events.push(event)
    const carried = token ?? unnumbered
    const last = delivery.tokens.length - 1
    if (last >= 0 && delivery.tokens[last] === carried) delivery.ends[last] = delivery.events.length
    else {
      carried.remaining++
      delivery.tokens.push(carried)
      delivery.ends.push(delivery.events.length)
    }
  }

  const settle = (token: Token, now: number): void => {
    if (--token.remaining > 0 || token.number === 0) return
    const session = sessions.trusted.get(token.sender)
    if (session === undefined) return
    touched.add(session)
    if (token.refused) {
      ReceiveStream.refuse(session.stream, token.number)
      host.gap(token.sender)
    } else ReceiveStream.settle(session.stream, token.number, now)
  }

  // ------------------------------------------------------------------------------------------------ the actor

  const settleAll = (tokens: ReadonlyArray<Token>, now: number): void => {
    for (const token of tokens) settle(token, now)
  }

  const handle = (messages: ReadonlyArray<Message>): Effect.Effect<void> | undefined => {
    handlingTicks = time.ticks()
    try {
      takeIn(messages, handlingTicks)
    } finally {
      handlingTicks = undefined
    }
    return undefined
  }

  const takeIn = (messages: ReadonlyArray<Message>, now: number): void => {
    for (const message of messages) {
      switch (message._tag) {
        case "Received":
          for (const received of message.batch) datagram(received, now)
          break
        case "Settled":
          settleAll(message.tokens, now)
          break
        case "Repaired": {
          const session = sessions.trusted.get(message.member)
          if (session === undefined) break
          ReceiveStream.repaired(session.stream, message.upTo)
          touched.add(session)
          // Something was given up that the sender wrote after that repair began.
          if (ReceiveStream.abandoned(session.stream)) host.gap(message.member)
          break
        }
        case "Forget":
          Sessions.forget(sessions, message.member)
          sealing.forget(message.member)
          // After everything that it said: an acknowledgement that came later would bring it back.
          multicaster.left(message.member)
      }
    }
    for (const [namespace, delivery] of deliveries) {
      if (namespace.inbox.handOver(delivery)) continue
      for (const token of delivery.tokens) {
        token.refused = true
        settle(token, now)
      }
    }
    // Not `clear`: a table of a `Map` that is cleared keeps what was in it, and refers to the next. One that is dead and not collected
    // yet, as it was promoted, would keep all later ones and what arrived with them, until V8 marks its whole heap.
    deliveries = new Map()
    report(now)
    if (now >= sweepDue) {
      sweepDue = now + protocol.heartbeatMillis
      Sessions.sweep(sessions, now)
    }
  }

  /** Says what is there and what is missing. */
  const report = (now: number): void => {
    for (const session of touched) reportDue = Math.min(reportDue, ReceiveStream.nextDue(session.stream))
    touched = new Set()
    // Of a large cluster's members nearly none have anything due when one of them is heard.
    if (reportDue > now) return
    let next = Infinity
    let granted = 0
    const { size } = sessions.trusted
    const spread = Protocols.ackSpreadMillis(protocol, size)
    for (const session of sessions.trusted.values()) {
      const due = ReceiveStream.nextDue(session.stream)
      if (due > now) {
        next = Math.min(next, due)
        continue
      }
      if (granted === 0) granted = credit(now)
      ReceiveStream.setAckEvery(session.stream, Protocols.ackEveryDatagrams(protocol, size, granted), spread)
      const told = ReceiveStream.onDue(session.stream, now)
      next = Math.min(next, ReceiveStream.nextDue(session.stream))
      if (told.nack !== undefined) {
        counters.lost += told.lost
        multicaster.send(session, { _tag: "NACK", ranges: told.nack })
      }
      if (told.abandoned > 0) {
        counters.abandoned += told.abandoned
        host.gap(session.id)
      }
      if (told.ack) {
        multicaster.send(session, {
          _tag: "ACK",
          received: ReceiveStream.received(session.stream),
          settled: ReceiveStream.settled(session.stream),
          credit: granted
        })
      }
    }
    reportDue = next
  }

  const nextDue = (): number => {
    const sweep = sessions.strangers.size > 0 || Reassembly.used(budget) > 0 ? sweepDue : Infinity
    return Math.min(sweep, reportDue)
  }

  const actor = yield* Actor.start<Message>({
    name: "listener",
    capacity: queueCapacityMessages,
    handle,
    nextDue
  }, time.ticks)

  const pump = yield* Actor.startLoop(
    "pump",
    // Opened here so that a start that cannot have its sockets fails; reopened by the supervisor when they die.
    network.receive,
    (pull) =>
      Effect.forever(
        Effect.map(pull, (batch) => {
          if (actor.handOver({ _tag: "Received", batch })) return
          counters.refused.window += batch.length
        })
      )
  )

  return {
    actor,
    pump,
    settled: (tokens) => {
      if (handlingTicks !== undefined) settleAll(tokens, handlingTicks)
      else actor.offer({ _tag: "Settled", tokens })
    },
    repaired: (member, upTo) => void actor.offer({ _tag: "Repaired", member, upTo }),
    forget: (member) => void actor.offer({ _tag: "Forget", member }),
    isTrusted: (member) => sessions.trusted.has(member),
    highestOf: (member) => Sessions.highestOf(sessions, member),
    givenUpOf: (member) => Sessions.givenUpOf(sessions, member),
    settledOfAll: () => Sessions.settledOfAll(sessions),
    hasGap: () => Sessions.hasGap(sessions),
    meeting: () => Sessions.meeting(sessions, time.ticks()),
    creditDatagrams: () => credit(time.ticks()),
    reassemblyBytes: () => Reassembly.used(budget),
    strangers: () => sessions.strangers.size,
    parkedDatagrams: () => Sessions.parked(sessions)
  }
})

/** Stands for what came without a number, parked from before the stream's start: nobody waits for it. */
const unnumbered: Token = { sender: "", number: 0, remaining: 0, refused: false }
