/**
 * The sender's window: how many datagrams may be under way to the receivers that count. It opens with acknowledgements up
 * to the smallest credit of those that count, halves at most once per round trip on loss, and never falls below
 * min(`windowMin`, credit). A receiver that says nothing for a while no longer counts (`lagging`), so that one stalled
 * process does not stop the others; it counts again when it has settled everything that is not kept any more.
 */
import type { MemberId } from "./Stamp.ts"

interface Receiver {
  received: number
  settled: number
  credit: number
  /** When it last said something, in ticks. */
  heardMillis: number
  /** Since when, about, its oldest unacknowledged number is under way; `Infinity` while there is none. */
  waitingMillis: number
  lagging: boolean
}

export interface Options {
  readonly windowInitial?: number | undefined
  readonly windowMin?: number | undefined
  readonly laggardMillis?: number | undefined
  readonly probeMillis?: number | undefined
  readonly probeMillisMax?: number | undefined
}

export interface FlowWindow {
  readonly options: Required<Options>
  readonly receivers: Map<MemberId, Receiver>
  window: number
  halvedMillis: number
  roundTripMillis: number
  /** The number whose acknowledgement is timed, and when it was sent. */
  timedNumber: number
  timedMillis: number
  /** Whether somebody had acknowledged everything when something was last heard of it: it waits for what is sent next. */
  rested: boolean
  highest: number
  probeDue: number
  probeIntervalMillis: number
}

export const make = (options: Options = {}): FlowWindow => {
  const resolved: Required<Options> = {
    windowInitial: options.windowInitial ?? 16,
    windowMin: options.windowMin ?? 4,
    laggardMillis: options.laggardMillis ?? 500,
    probeMillis: options.probeMillis ?? 20,
    probeMillisMax: options.probeMillisMax ?? 1_000
  }
  return {
    options: resolved,
    receivers: new Map(),
    window: resolved.windowInitial,
    halvedMillis: -Infinity,
    roundTripMillis: 1,
    timedNumber: 0,
    timedMillis: 0,
    rested: false,
    highest: 0,
    probeDue: Infinity,
    probeIntervalMillis: resolved.probeMillis
  }
}

const creditMin = (self: FlowWindow): number => {
  let least = Infinity
  for (const receiver of self.receivers.values()) {
    if (!receiver.lagging && receiver.credit < least) least = receiver.credit
  }
  return least
}

const receivedMin = (self: FlowWindow): number => {
  let least = Infinity
  for (const receiver of self.receivers.values()) {
    if (!receiver.lagging && receiver.received < least) least = receiver.received
  }
  return least
}

/** A receiver said what it has: from now on it is waited for, unless it has everything. */
const wait = (self: FlowWindow, receiver: Receiver, nowMillis: number): void => {
  if (receiver.received < self.highest) receiver.waitingMillis = nowMillis
  else {
    receiver.waitingMillis = Infinity
    self.rested = true
  }
}

/** A receiver acknowledged. The first acknowledgement makes it count. */
export const onAck = (
  self: FlowWindow,
  member: MemberId,
  ack: { readonly received: number; readonly settled: number; readonly credit: number },
  nowMillis: number,
  lowest: number,
  highest: number
): void => {
  self.highest = highest
  const known = self.receivers.get(member)
  if (known === undefined) {
    const receiver = {
      ...ack,
      heardMillis: nowMillis,
      waitingMillis: Infinity,
      // What it lacks of former times it has from others; it is waited for in what it hears from now on.
      lagging: ack.received < lowest - 1
    }
    self.receivers.set(member, receiver)
    wait(self, receiver, nowMillis)
    return
  }
  const progress = Math.max(0, ack.received - known.received)
  known.received = Math.max(known.received, ack.received)
  known.settled = Math.max(known.settled, ack.settled)
  known.credit = ack.credit
  known.heardMillis = nowMillis
  if (known.lagging && known.settled >= lowest - 1) known.lagging = false
  wait(self, known, nowMillis)
  if (self.timedNumber > 0 && ack.received >= self.timedNumber) {
    // A receiver that stood still is no long way.
    const sample = Math.min(Math.max(0.05, nowMillis - self.timedMillis), self.options.laggardMillis)
    self.roundTripMillis += (sample - self.roundTripMillis) / 8
    self.timedNumber = 0
  }
  if (progress > 0) {
    self.probeDue = Infinity
    self.probeIntervalMillis = self.options.probeMillis
    const limit = creditMin(self)
    // One datagram more for each acknowledged: doubling once per round trip.
    self.window = Math.max(Math.min(self.options.windowMin, limit), Math.min(limit, self.window + progress))
  }
}

/** A receiver missed something. */
export const onLoss = (self: FlowWindow, member: MemberId, nowMillis: number): void => {
  const receiver = self.receivers.get(member)
  if (receiver !== undefined) receiver.heardMillis = nowMillis
  if (nowMillis - self.halvedMillis < Math.max(1, self.roundTripMillis)) return
  self.halvedMillis = nowMillis
  self.window = Math.max(Math.min(self.options.windowMin, creditMin(self)), Math.floor(self.window / 2))
}

export const leave = (self: FlowWindow, member: MemberId): void => {
  self.receivers.delete(member)
  // Nobody is left who could acknowledge what is timed.
  if (self.receivers.size === 0) self.timedNumber = 0
}

/** A number was sent for the first time. */
export const sent = (self: FlowWindow, number: number, nowMillis: number): void => {
  self.highest = number
  if (self.rested) {
    self.rested = false
    for (const receiver of self.receivers.values()) {
      if (receiver.waitingMillis === Infinity) receiver.waitingMillis = nowMillis
    }
  }
  if (self.timedNumber === 0) {
    self.timedNumber = number
    self.timedMillis = nowMillis
  }
}

/** How many datagrams may be sent now; 0 while nobody counts. */
export const available = (self: FlowWindow, highest: number): number => {
  const least = receivedMin(self)
  if (least === Infinity) return 0
  return Math.max(0, least + windowOf(self) - highest)
}

/** When a receiver that counts, and says nothing more, no longer does. */
const patientUntil = (self: FlowWindow, receiver: Receiver): number =>
  receiver.lagging || receiver.received >= self.highest
    ? Infinity
    : Math.max(receiver.heardMillis, receiver.waitingMillis) + patience(self)

const patience = (self: FlowWindow): number => Math.max(4 * self.roundTripMillis, self.options.laggardMillis)

/** The receivers that no longer count from now on. */
export const due = (self: FlowWindow, nowMillis: number): ReadonlyArray<MemberId> => {
  const laggards: Array<MemberId> = []
  for (const [member, receiver] of self.receivers) {
    if (nowMillis < patientUntil(self, receiver)) continue
    receiver.lagging = true
    laggards.push(member)
  }
  return laggards
}

/** Whether a closed window should ask now: 20 ms after it closed, doubling. */
export const probe = (self: FlowWindow, nowMillis: number): boolean => {
  if (self.probeDue === Infinity) {
    self.probeDue = nowMillis + self.probeIntervalMillis
    return false
  }
  if (nowMillis < self.probeDue) return false
  self.probeIntervalMillis = Math.min(2 * self.probeIntervalMillis, self.options.probeMillisMax)
  self.probeDue = nowMillis + self.probeIntervalMillis
  return true
}

/** The window is open, or there is nothing to send: nobody has to be asked. */
export const rest = (self: FlowWindow): void => {
  self.probeDue = Infinity
  self.probeIntervalMillis = self.options.probeMillis
}

export const nextDue = (self: FlowWindow): number => {
  let next = self.probeDue
  for (const receiver of self.receivers.values()) next = Math.min(next, patientUntil(self, receiver))
  return next
}

export const counted = (self: FlowWindow): number => {
  let members = 0
  for (const receiver of self.receivers.values()) if (!receiver.lagging) members++
  return members
}

export const lagging = (self: FlowWindow): ReadonlyArray<MemberId> =>
  [...self.receivers].filter(([, receiver]) => receiver.lagging).map(([member]) => member)

/**
 * The number that all who count have settled; `Infinity` when nobody counts. With `lowest`, the lowest that is kept, only those
 * are asked who have settled all before it: who is still catching up has settled nothing.
 */
export const stable = (self: FlowWindow, lowest = 1): number => {
  let least = Infinity
  for (const { lagging, settled } of self.receivers.values()) {
    if (!lagging && settled >= lowest - 1 && settled < least) least = settled
  }
  return least
}

/** The number that all, also those that lag, have settled: nobody needs it any more. `Infinity` when there is nobody. */
export const settledByAll = (self: FlowWindow): number => {
  let least = Infinity
  for (const receiver of self.receivers.values()) if (receiver.settled < least) least = receiver.settled
  return least
}

export const settledOf = (self: FlowWindow, member: MemberId): number | undefined => self.receivers.get(member)?.settled

/** The window in datagrams, as far as the smallest credit allows; a credit that was smaller leaves no mark. */
export const windowOf = (self: FlowWindow): number =>
  Math.min(creditMin(self), Math.max(self.window, self.options.windowMin))
