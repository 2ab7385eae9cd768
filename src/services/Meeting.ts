/**
 * Meeting strangers: what is read of a sender that is not trusted, and what it is answered (section 9 of the design). The rules of
 * who is trusted are those of `Sessions`. Owned by the Listener.
 */
import type * as Datagram from "../domain/Datagram.ts"
import * as Framing from "../domain/Framing.ts"
import type * as HybridClock from "../domain/HybridClock.ts"
import type { MemberLabel } from "../domain/MemberLabel.ts"
import type { Operation, Proof } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import * as ReceiveStream from "../domain/ReceiveStream.ts"
import type { Counters } from "./Counters.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Destination, Multicaster } from "./Multicaster.ts"
import type { Address } from "./Network.ts"
import type { OperationLog } from "./OperationLog.ts"
import type { Sealing } from "./Sealing.ts"
import * as Sessions from "./Sessions.ts"

export interface Host {
  readonly time: MemberTime
  readonly clock: HybridClock.HybridClock
  readonly counters: Counters
  readonly operations: OperationLog
  readonly sealing: Sealing
  readonly multicaster: Multicaster
  readonly sessions: Sessions.Sessions
  readonly label: MemberLabel & { readonly version: string }
  readonly ready: () => boolean
  /** Whether a datagram of a trusted sender is fresh; marks it as read. */
  readonly accept: (session: Sessions.Session, header: Datagram.Header) => boolean
  /** Takes in an authentic, fresh body of a sender that is trusted. */
  readonly read: (session: Sessions.Session, body: Uint8Array, now: number) => void
  /** Takes in an operation of a sender that is trusted, that came in no numbered datagram. */
  readonly route: (session: Sessions.Session, operation: Operation, now: number) => void
  /** A sender is trusted from now on. */
  readonly trusted: (session: Sessions.Session, from: Destination, proof: Proof) => void
}

/** Takes in an authentic body of a sender that is not trusted. */
export type Meet = (header: Datagram.Header, body: Uint8Array, from: Address, now: number) => void

/** Answers a challenge. */
export type Prove = (to: Destination, echo: Uint8Array, now: number) => void

export const make = (host: Host): { readonly meet: Meet; readonly prove: Prove } => {
  const { accept, counters, multicaster, operations, read, sealing, sessions, time } = host

  const prove: Prove = (to, echo, now) => {
    const counts = sealing.counters()
    const nonce = sessions.trusted.has(to.id) ? undefined : Sessions.challenge(sessions, to.id, now)
    multicaster.send(to, {
      _tag: "PROOF",
      echo,
      nonce: nonce ?? new Uint8Array(0),
      multicast: Math.max(0, counts.multicast - 1),
      unicast: Math.max(0, counts.unicast - 1),
      first: multicaster.first(),
      ready: host.ready(),
      host: host.label.host,
      pid: host.label.pid,
      ...(host.label.thread === 0 ? {} : { thread: host.label.thread }),
      version: host.label.version,
      physicalMillis: time.physical(),
      clock: host.clock.last
    })
  }

  const meet: Meet = (header, body, from, now) => {
    const to = { id: header.sender, address: from }
    let handshake = false
    Framing.readBody(body, {
      data: () => undefined,
      whole: (bytes, start, end) => {
        // Of a stranger nothing else is read: what it sends waits, and may cost little until it is trusted.
        if (!sessions.trusted.has(header.sender) && !OperationCodec.isHandshake(bytes, start)) return
        const operation = OperationCodec.decode(bytes, header.sender, start, end)
        if (operation === undefined) return
        if (operation._tag !== "CHALLENGE" && operation._tag !== "PROOF") {
          // What shares the datagram of an accepted PROOF, as the first ACK does: without it nothing is ever sent there.
          const proved = sessions.trusted.get(header.sender)
          if (proved === undefined) return
          operations.received(operation, header.sender)
          host.route(proved, operation, now)
          return
        }
        handshake = true
        operations.received(operation, header.sender)
        if (operation._tag === "CHALLENGE") {
          if (header.unicast && Sessions.mayProve(sessions, header.sender, now)) prove(to, operation.nonce, now)
        } else onProof(header, from, operation, now)
      },
      part: () => undefined
    })
    if (handshake || sessions.trusted.has(header.sender)) return
    if (!Sessions.park(sessions, { header, body }, now)) counters.refused.untrusted++
    // Where it came from may be forged: nobody gets more bytes than were sent in its name. Its next heartbeat is larger.
    if (body.length < Framing.controlBodyBytes(OperationCodec.challengeBytes)) return
    const nonce = Sessions.challenge(sessions, header.sender, now)
    if (nonce !== undefined) multicaster.send(to, { _tag: "CHALLENGE", nonce })
  }

  const onProof = (header: Datagram.Header, from: Address, proof: Proof, now: number): void => {
    if (!header.unicast) return
    const proved = Sessions.prove(sessions, header, from, proof, now)
    if (proved === undefined) {
      counters.refused.untrusted++
      return
    }
    const { parked, session } = proved
    sealing.trust(session.id)
    host.trusted(session, { id: session.id, address: from }, proof)
    if (proof.nonce.length > 0) prove({ id: session.id, address: from }, proof.nonce, now)
    // Read here, so never again.
    accept(session, header)
    for (const waiting of parked) {
      if (accept(session, waiting.header)) read(session, waiting.body, now)
      else counters.refused.replayed++
    }
    ReceiveStream.ackNow(session.stream)
  }

  return { meet, prove }
}
