/**
 * Sessions: which senders are trusted, and how a stranger becomes one (section 9 of the design).
 *
 * On reception of anything from an unknown sender it is challenged, and what it sent waits, bounded in number and time. One
 * challenge may be lost: the next goes `joinIntervalMillis` later, then after twice as long each time, up to
 * `challengeIntervalMillis`; a joiner waits for no more than `joinWaitMillis`. On reception of a CHALLENGE, a PROOF is sent: the challenge echoed, our counters,
 * the first number of our stream that the challenger will hear, and a challenge of our own when we do not know it either.
 * On reception of a PROOF that echoes the last challenge, the sender is trusted and what waited is taken in.
 *
 * Guarantees: no datagram of a former life of a sender is taken for a live one, because nobody can echo a challenge that
 * was made after it; each counter is accepted once; memory is bounded by `sessionsMax`.
 */
import type { Protocol } from "../domain/Configuration.ts"
import type { Header } from "../domain/Datagram.ts"
import type { Proof } from "../domain/Operation.ts"
import * as Reassembly from "../domain/Reassembly.ts"
import * as ReceiveStream from "../domain/ReceiveStream.ts"
import * as ReplayWindow from "../domain/ReplayWindow.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { Address } from "./Network.ts"

/** The replay windows of one epoch of a sender: one for each cast. */
interface Windows {
  readonly epoch: number
  readonly multicast: ReplayWindow.ReplayWindow
  readonly unicast: ReplayWindow.ReplayWindow
}

/** A trusted sender. */
export interface Session {
  readonly id: MemberId
  /** Where its last authentic, fresh datagram came from: a member whose sockets were opened anew is somewhere else. */
  address: Address
  readonly stream: ReceiveStream.ReceiveStream
  readonly reassembly: Reassembly.Reassembly
  windows: Windows
  former: Windows | undefined
  /** When data last came, in ticks: active senders share the credit. */
  dataTicks: number
}

/** A datagram that waits for its sender to be trusted; it is authentic already. */
export interface Parked {
  readonly header: Header
  readonly body: Uint8Array
}

/** When something was last sent, and how long it rests now. */
interface Pace {
  ticks: number
  pauseMillis: number
}

interface Stranger {
  readonly metTicks: number
  nonce: Uint8Array
  nonceTicks: number
  readonly challenged: Pace
  readonly proved: Pace
  parked: Array<Parked>
  parkedTicks: number
}

export interface Sessions {
  readonly protocol: Protocol
  readonly trusted: Map<MemberId, Session>
  readonly strangers: Map<MemberId, Stranger>
  /** The windows of members that were forgotten: who is met again must not be replayed. */
  readonly forgotten: Map<MemberId, Windows>
  readonly budget: Reassembly.Budget
  readonly recordBytesMax: () => number
  readonly random: () => number
  readonly entropy: (bytes: number) => Uint8Array
}

export const make = (options: Omit<Sessions, "trusted" | "strangers" | "forgotten">): Sessions => ({
  ...options,
  trusted: new Map(),
  strangers: new Map(),
  forgotten: new Map()
})

/** Whether no later datagram of its cast was seen. */
export const isNewest = ({ windows }: Session, { counter, epoch, unicast }: Header): boolean =>
  epoch > windows.epoch ||
  (epoch === windows.epoch && counter > (unicast ? windows.unicast : windows.multicast).top)

/** Whether the counter of an authentic datagram is fresh; marks it as used. */
export const accept = (session: Session, header: Header): boolean => {
  let windows = session.windows
  if (header.epoch !== windows.epoch) {
    if (header.epoch > windows.epoch) {
      session.former = windows
      windows = { epoch: header.epoch, multicast: ReplayWindow.make(0), unicast: ReplayWindow.make(0) }
      session.windows = windows
    } else if (session.former?.epoch === header.epoch) {
      windows = session.former
    } else return false
  }
  const window = header.unicast ? windows.unicast : windows.multicast
  if (!ReplayWindow.check(window, header.counter)) return false
  ReplayWindow.advance(window, header.counter)
  return true
}

const stranger = (self: Sessions, id: MemberId, nowTicks: number): Stranger => {
  const known = self.strangers.get(id)
  if (known !== undefined) return known
  // A flood of invented ids pushes out the oldest strangers, never a session.
  if (self.strangers.size >= self.protocol.sessionsMax) {
    for (const oldest of self.strangers.keys()) {
      self.strangers.delete(oldest)
      break
    }
  }
  const made: Stranger = {
    metTicks: nowTicks,
    nonce: new Uint8Array(0),
    nonceTicks: -Infinity,
    challenged: { ticks: -Infinity, pauseMillis: 0 },
    proved: { ticks: -Infinity, pauseMillis: 0 },
    parked: [],
    parkedTicks: nowTicks
  }
  self.strangers.set(id, made)
  return made
}

/** Keeps an authentic datagram of a stranger; false when there is no room. */
export const park = (self: Sessions, parked: Parked, nowTicks: number): boolean => {
  const sender = stranger(self, parked.header.sender, nowTicks)
  if (nowTicks - sender.parkedTicks > self.protocol.parkedMillis) {
    sender.parked = []
    sender.parkedTicks = nowTicks
  }
  if (sender.parked.length >= self.protocol.parkedDatagramsMax) return false
  sender.parked.push(parked)
  return true
}

/** Whether it may be sent again now. */
const isDue = (self: Sessions, pace: Pace, pauseMillisMax: number, nowTicks: number): boolean => {
  if (nowTicks - pace.ticks < pace.pauseMillis) return false
  pace.ticks = nowTicks
  pace.pauseMillis = Math.min(pauseMillisMax, Math.max(self.protocol.joinIntervalMillis, 2 * pace.pauseMillis))
  return true
}

/** The nonce to challenge a stranger with, or `undefined` when it was challenged not long ago. */
export const challenge = (self: Sessions, id: MemberId, nowTicks: number): Uint8Array | undefined => {
  const { challengeIntervalMillis } = self.protocol
  const sender = stranger(self, id, nowTicks)
  if (!isDue(self, sender.challenged, challengeIntervalMillis, nowTicks)) return undefined
  // An answer to the last one may be under way.
  if (nowTicks - sender.nonceTicks >= challengeIntervalMillis) {
    sender.nonce = self.entropy(16)
    sender.nonceTicks = nowTicks
  }
  return sender.nonce
}

/** Whether a challenge of a stranger may be answered now. */
export const mayProve = (self: Sessions, id: MemberId, nowTicks: number): boolean => {
  if (self.trusted.has(id)) return true
  const sender = stranger(self, id, nowTicks)
  return isDue(self, sender.proved, self.protocol.challengeIntervalMillis / 2, nowTicks)
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index++) difference |= a[index] ^ b[index]
  return difference === 0
}

/** Trusts the sender of a PROOF that echoes the last challenge. Returns the session and what waited. */
export const prove = (
  self: Sessions,
  header: Header,
  address: Address,
  proof: Proof,
  nowTicks: number
): { readonly session: Session; readonly parked: ReadonlyArray<Parked> } | undefined => {
  const sender = self.strangers.get(header.sender)
  if (sender === undefined || sender.nonce.length !== 16 || !equal(sender.nonce, proof.echo)) return undefined
  if (self.trusted.size >= self.protocol.sessionsMax) return undefined
  self.strangers.delete(header.sender)
  const before = self.forgotten.get(header.sender)
  // Counters rise within an epoch: those of a PROOF that was sealed in the next one are of the former.
  const isOfEpoch = proof.unicast < header.counter
  const session: Session = {
    id: header.sender,
    address,
    // What the sender wrote before this session may be missing here, as after a partition: a repair with it brings that.
    stream: ReceiveStream.makeBehind({
      first: proof.first,
      random: self.random,
      nackDelayMillisMin: self.protocol.nackDelayMillisMin,
      nackDelayMillisMax: self.protocol.nackDelayMillisMax,
      nackIntervalMillis: self.protocol.nackIntervalMillis,
      nackIntervalMillisMax: self.protocol.nackIntervalMillisMax,
      abandonMillis: self.protocol.abandonMillis,
      ackDelayMillis: self.protocol.ackDelayMillis
    }),
    reassembly: Reassembly.make({
      recordBytesMax: self.recordBytesMax,
      bytesMaxPerSender: self.protocol.reassemblyBytesMax,
      idleMillis: self.protocol.reassemblyIdleMillis,
      budget: self.budget
    }),
    windows: before?.epoch === header.epoch
      ? before
      : {
        epoch: header.epoch,
        multicast: ReplayWindow.make(isOfEpoch ? proof.multicast : 0),
        unicast: ReplayWindow.make(isOfEpoch ? proof.unicast : 0)
      },
    former: undefined,
    dataTicks: -Infinity
  }
  self.trusted.set(session.id, session)
  return {
    session,
    parked: nowTicks - sender.parkedTicks > self.protocol.parkedMillis ? [] : sender.parked
  }
}

/** Forgets a sender: what it still sends makes it a stranger. */
export const forget = (self: Sessions, id: MemberId): void => {
  const session = self.trusted.get(id)
  if (session === undefined) return
  Reassembly.dropAll(session.reassembly)
  self.trusted.delete(id)
  self.forgotten.delete(id)
  self.forgotten.set(id, session.windows)
  if (self.forgotten.size > self.protocol.sessionsMax) {
    for (const oldest of self.forgotten.keys()) {
      self.forgotten.delete(oldest)
      break
    }
  }
}

/** Datagrams that wait for their senders to be trusted. */
export const parked = (self: Sessions): number => {
  let datagrams = 0
  for (const sender of self.strangers.values()) datagrams += sender.parked.length
  return datagrams
}

/** Whether somebody was met lately and is being challenged. */
export const meeting = (self: Sessions, nowTicks: number): boolean => {
  for (const sender of self.strangers.values()) {
    if (nowTicks - sender.challenged.ticks <= 2 * self.protocol.challengeIntervalMillis) return true
  }
  return false
}

/** Drops strangers that were not proved, and incomplete records to which nothing comes. */
export const sweep = (self: Sessions, nowTicks: number): void => {
  for (const [id, sender] of self.strangers) {
    if (nowTicks - Math.max(sender.metTicks, sender.challenged.ticks) > 10 * self.protocol.challengeIntervalMillis) {
      self.strangers.delete(id)
    } else if (nowTicks - sender.parkedTicks > self.protocol.parkedMillis) sender.parked = []
  }
  for (const session of self.trusted.values()) Reassembly.expire(session.reassembly, nowTicks)
}

// ------------------------------------------------------------------------------------------------ streams

/** The greatest number of a sender that is known to exist; 0 of a stranger. */
export const highestOf = (self: Sessions, member: MemberId): number => {
  const session = self.trusted.get(member)
  return session === undefined ? 0 : ReceiveStream.highest(session.stream)
}

/** The greatest number of a sender that was given up and is not made good; 0 for none. */
export const givenUpOf = (self: Sessions, member: MemberId): number => {
  const session = self.trusted.get(member)
  return session === undefined ? 0 : ReceiveStream.givenUp(session.stream)
}

/** Up to which number of each sender everything is folded. A part of a record that is not complete yet is not, whatever its number. */
export const settledOfAll = (
  self: Sessions
): ReadonlyArray<{ readonly sender: MemberId; readonly number: number }> =>
  Array.from(self.trusted.values(), ({ id, reassembly, stream }) => ({
    sender: id,
    number: Math.min(ReceiveStream.settled(stream), Reassembly.firstIncomplete(reassembly) - 1)
  }))

/** Whether something that somebody sent is missing here. */
export const hasGap = (self: Sessions): boolean => {
  for (const { stream } of self.trusted.values()) {
    if (ReceiveStream.abandoned(stream) || ReceiveStream.missing(stream)) return true
  }
  return false
}
