/**
 * One sender's numbers at one receiver: which arrived, which are missing, which are settled.
 *
 * A number is *received* when its datagram came, *settled* when all that it carries is folded (or superseded). What is
 * missing is asked for (NACK) after a short random wait for reordering, again and again with doubling pauses, and
 * *abandoned* when it is not to be had: below the sender's lowest, missing for `abandonMillis`, or refused here.
 *
 * 1. `received` is cumulative and passes abandoned numbers, so that no lost number closes the sender's window for ever.
 * 2. `settled` is cumulative and truthful: it never passes a number that was not folded here, until a repair with the
 *    sender that began after the number was abandoned has finished.
 * 3. With nothing missing and nothing unacknowledged nothing is due: a quiet stream is silent.
 * 4. Memory is bounded by `spanMax` numbers, whatever numbers arrive, and small while little is under way: a member keeps a
 *    stream of every other, and most of them are quiet.
 */
import type { Range } from "./SendStream.ts"

export interface Options {
  /** The first number that this receiver is to have. */
  readonly first: number
  readonly random: () => number
  readonly nackDelayMillisMin?: number | undefined
  readonly nackDelayMillisMax?: number | undefined
  readonly nackIntervalMillis?: number | undefined
  readonly nackIntervalMillisMax?: number | undefined
  readonly abandonMillis?: number | undefined
  readonly ackDelayMillis?: number | undefined
  /** How far numbers may run ahead of the first missing one. A power of two. */
  readonly spanMax?: number | undefined
}

const absent = 0
const arrived = 1
const settledMark = 2
const abandonedMark = 3

/** What a quiet stream keeps: V8 has so few bytes within the object itself. */
const marksInitial = 64
/** A ring larger than this is given back when all is settled. */
const marksKept = 4_096

export interface ReceiveStream {
  readonly options: Required<Options>
  /** A ring of a power of two, of the numbers above `settled` up to `highest`; all else in it is absent. */
  marks: Uint8Array
  /** All up to here arrived or were abandoned. */
  received: number
  /** All up to here are settled or repaired. */
  settled: number
  /** The greatest number known to exist. */
  highest: number
  /** The greatest number abandoned and not repaired; 0 when none. */
  unrepaired: number
  /** No more than this is told to be settled until a repair, after numbers ran too far ahead to be kept; or `Infinity`. */
  settledMax: number
  newlyAbandoned: number
  ackEvery: number
  unacknowledged: number
  ackDue: number
  /** Over how long the acknowledgements that all receivers owe at once are spread; 0 while they are few. */
  ackSpreadMillis: number
  /** The settled number that was last told, the received one, and when. */
  told: number
  toldReceived: number
  toldMillis: number
  nackDue: number
  nackIntervalMillis: number
  /** Numbers up to here were asked for already, when they were missing. */
  nackedUpTo: number
  /** When the first number was missed that is missing now; `Infinity` while none is. */
  missingFirst: number
  /** Since when all are that are missing up to `missingUpTo`: gaps that came soon after the first have its time. */
  missingSince: number
  missingUpTo: number
}

export const make = (options: Options): ReceiveStream => {
  const resolved: Required<Options> = {
    first: options.first,
    random: options.random,
    nackDelayMillisMin: options.nackDelayMillisMin ?? 1,
    nackDelayMillisMax: options.nackDelayMillisMax ?? 10,
    nackIntervalMillis: options.nackIntervalMillis ?? 20,
    nackIntervalMillisMax: options.nackIntervalMillisMax ?? 1_000,
    abandonMillis: options.abandonMillis ?? 10_000,
    ackDelayMillis: options.ackDelayMillis ?? 5,
    spanMax: options.spanMax ?? 65_536
  }
  return {
    options: resolved,
    marks: new Uint8Array(Math.min(marksInitial, resolved.spanMax)),
    received: options.first - 1,
    settled: options.first - 1,
    highest: options.first - 1,
    unrepaired: 0,
    settledMax: Infinity,
    newlyAbandoned: 0,
    ackEvery: 16,
    unacknowledged: 0,
    ackDue: Infinity,
    ackSpreadMillis: 0,
    told: options.first - 1,
    toldReceived: options.first - 1,
    toldMillis: -Infinity,
    nackDue: Infinity,
    nackIntervalMillis: resolved.nackIntervalMillis,
    nackedUpTo: 0,
    missingFirst: Infinity,
    missingSince: Infinity,
    missingUpTo: 0
  }
}

/**
 * Begins a stream of which something was sent before: the last number before its first counts as given up, so that
 * nothing is settled until a repair with the sender has brought what those numbers carried.
 */
export const makeBehind = (options: Options): ReceiveStream => {
  const self = make(options)
  if (options.first === 1) return self
  const last = options.first - 1
  self.settled = last - 1
  // The sender may have known this receiver before, and somebody may wait there for one of the numbers before its first.
  self.settledMax = 0
  self.told = 0
  self.unrepaired = last
  self.marks[slotOf(self, last)] = abandonedMark
  return self
}

export const received = (self: ReceiveStream): number => self.received
export const settled = (self: ReceiveStream): number => Math.min(self.settled, self.settledMax)
/** The greatest number known to exist. */
export const highest = (self: ReceiveStream): number => self.highest
/** The greatest number that is abandoned and not repaired yet; 0 for none. */
export const givenUp = (self: ReceiveStream): number => self.unrepaired
/** Whether something is abandoned and not repaired yet. */
export const abandoned = (self: ReceiveStream): boolean => self.unrepaired > 0
/** Whether something known to exist has not arrived. */
export const missing = (self: ReceiveStream): boolean => self.received < self.highest

/** How many datagrams one acknowledgement is for, and over how long those of all receivers are spread. */
export const setAckEvery = (self: ReceiveStream, datagrams: number, spreadMillis = 0): void => {
  self.ackEvery = datagrams
  self.ackSpreadMillis = spreadMillis
}

/** Has an acknowledgement due a little later, so that one is for several datagrams. */
const ackSoon = (self: ReceiveStream, nowMillis: number): void => {
  if (self.ackDue !== Infinity) return
  self.ackDue = nowMillis + self.options.ackDelayMillis
  if (self.ackSpreadMillis > 0) self.ackDue += self.options.random() * self.ackSpreadMillis
}

/**
 * Whether nothing was acknowledged for a while. Then the first thing is at once, by the turn that it woke: to wake for it a little later
 * takes ten times as long, and the processor from what comes next.
 */
const isRested = (self: ReceiveStream, nowMillis: number): boolean =>
  self.ackSpreadMillis === 0 && nowMillis - self.toldMillis >= self.options.ackDelayMillis

const slotOf = (self: ReceiveStream, number: number): number => number & (self.marks.length - 1)

/** Makes room for numbers up to `highest`, which is at most `spanMax` - 1 above `settled`. */
const makeRoom = (self: ReceiveStream, highest: number): void => {
  if (highest - self.settled < self.marks.length) return
  let size = self.marks.length
  while (highest - self.settled >= size) size *= 2
  const marks = new Uint8Array(size)
  for (let number = self.settled + 1; number <= self.highest; number++) {
    marks[number & (size - 1)] = markOf(self, number)
  }
  self.marks = marks
}

/** The mark of a number above `settled`; marks at or below it are not kept. */
const markOf = (self: ReceiveStream, number: number): number => self.marks[slotOf(self, number)]

const advance = (self: ReceiveStream): void => {
  while (self.received < self.highest && markOf(self, self.received + 1) !== absent) self.received++
  while (self.settled < self.received) {
    const slot = slotOf(self, self.settled + 1)
    const mark = self.marks[slot]
    if (mark !== settledMark && !(mark === abandonedMark && self.unrepaired < self.settled + 1)) break
    self.marks[slot] = absent
    self.settled++
  }
  if (self.marks.length > marksKept && self.settled === self.highest) self.marks = new Uint8Array(marksInitial)
}

const abandon = (self: ReceiveStream, number: number): void => {
  self.marks[slotOf(self, number)] = abandonedMark
  self.newlyAbandoned++
  if (number > self.unrepaired) self.unrepaired = number
}

/** Gives up all that is missing up to a number. */
const abandonUpTo = (self: ReceiveStream, upTo: number): void => {
  for (let number = self.received + 1; number <= upTo; number++) {
    if (markOf(self, number) === absent) abandon(self, number)
  }
  advance(self)
}

/** Learns that numbers up to `highest` exist; what the window has no room for is given up, oldest first. */
const reveal = (self: ReceiveStream, highest: number, nowMillis: number): void => {
  if (highest <= self.highest) return
  const room = self.options.spanMax - 1
  if (highest - self.settled > room) {
    // Either hostile, or so far behind that only a repair helps: start over at the end.
    self.newlyAbandoned += Math.min(highest - self.settled, self.options.spanMax)
    // What is passed over was not folded: whoever waits for it waits until it is repaired.
    self.settledMax = settled(self)
    self.marks.fill(absent)
    self.received = highest - 1
    self.settled = highest - 2
    self.marks[slotOf(self, highest - 1)] = abandonedMark
    self.unrepaired = highest - 1
    self.highest = highest
    schedule(self, nowMillis)
    return
  }
  makeRoom(self, highest)
  self.highest = highest
  schedule(self, nowMillis)
}

/** Has a NACK due while something is missing. */
const schedule = (self: ReceiveStream, nowMillis: number): void => {
  if (self.received >= self.highest) {
    self.nackDue = Infinity
    self.missingFirst = Infinity
    return
  }
  if (self.missingFirst === Infinity) {
    self.missingFirst = nowMillis
    self.missingUpTo = 0
  }
  if (self.highest > self.missingUpTo && nowMillis - self.missingFirst < self.options.nackIntervalMillisMax) {
    self.missingSince = nowMillis
    self.missingUpTo = self.highest
  }
  if (self.nackDue === Infinity) {
    const { nackDelayMillisMax, nackDelayMillisMin, nackIntervalMillis, random } = self.options
    self.nackDue = nowMillis + nackDelayMillisMin + random() * (nackDelayMillisMax - nackDelayMillisMin)
    self.nackIntervalMillis = nackIntervalMillis
  }
}

/** A datagram came. `new`: fold it, then `settle`. `old`: before the stream's start. */
export const receive = (self: ReceiveStream, number: number, nowMillis: number): "new" | "duplicate" | "old" => {
  if (number < self.options.first) return "old"
  if (number <= self.settled) return "duplicate"
  // The next in order reveals nothing missing, unless there is no room for it.
  if (number === self.highest + 1 && number - self.settled < self.options.spanMax) {
    makeRoom(self, number)
    self.highest = number
  } else reveal(self, number, nowMillis)
  if (number <= self.settled) return "duplicate"
  const slot = slotOf(self, number)
  const mark = self.marks[slot]
  if (mark !== absent) return "duplicate"
  self.marks[slot] = arrived
  const before = self.received
  advance(self)
  if (self.received > before) {
    // Progress: what is missing now is missing for the first time, and asked for as if it were.
    self.missingFirst = Infinity
    self.nackDue = Infinity
    schedule(self, nowMillis)
  }
  self.unacknowledged++
  ackSoon(self, nowMillis)
  return "new"
}

/** Everything in this number is folded. */
export const settle = (self: ReceiveStream, number: number, nowMillis: number): void => {
  if (number <= self.settled || markOf(self, number) !== arrived) return
  self.marks[slotOf(self, number)] = settledMark
  const before = self.settled
  advance(self)
  if (self.settled === before) return
  if (self.unacknowledged >= self.ackEvery || isRested(self, nowMillis)) self.ackDue = nowMillis
  else ackSoon(self, nowMillis)
}

/** What this number carries could not be taken: only a repair brings it. */
export const refuse = (self: ReceiveStream, number: number): void => {
  if (number <= self.settled || markOf(self, number) !== arrived) return
  abandon(self, number)
  advance(self)
}

/** The sender tells its lowest kept and its highest number. */
export const announce = (self: ReceiveStream, lowest: number, highest: number, nowMillis: number): void => {
  reveal(self, highest, nowMillis)
  const gone = Math.min(lowest - 1, self.highest)
  if (gone > self.received) {
    abandonUpTo(self, gone)
    self.nackDue = Infinity
    self.missingFirst = Infinity
    schedule(self, nowMillis)
  }
}

/** Somebody waits for an acknowledgement. */
export const ackNow = (self: ReceiveStream): void => {
  self.ackDue = -Infinity
}

/**
 * The sender asks all its receivers for an acknowledgement. Those of a large cluster answer one after the other: all at once
 * they would not fit into its socket. One that is due soon answers it; who told the same a moment ago, which may have been
 * lost, tells it again when that moment is over.
 */
export const ackAsked = (self: ReceiveStream, nowMillis: number): void => {
  const spread = self.ackSpreadMillis
  if (spread === 0) {
    ackNow(self)
    return
  }
  const toldAll = self.told === settled(self) && self.toldReceived === self.received
  if (self.ackDue !== Infinity) return
  self.ackDue = toldAll && nowMillis - self.toldMillis < spread
    ? self.toldMillis + spread
    : nowMillis + self.options.random() * spread
}

/** A repair with the sender has finished that began when numbers up to `upTo` were known to exist. */
export const repaired = (self: ReceiveStream, upTo: number): void => {
  if (self.unrepaired > 0 && self.unrepaired <= upTo) {
    self.unrepaired = 0
    self.settledMax = Infinity
  }
  advance(self)
  if (settled(self) > self.told) self.ackDue = -Infinity
}

export const nextDue = (self: ReceiveStream): number =>
  self.newlyAbandoned > 0 ? -Infinity : Math.min(self.ackDue, self.nackDue)

/** NACK ranges that one message holds. */
const rangesMax = 64
/** How many missing numbers are looked for at once. */
const scanMax = 4_096

export interface Due {
  /** What to ask the sender for. */
  readonly nack: ReadonlyArray<Range> | undefined
  /** How many of these numbers were not asked for before. */
  readonly lost: number
  readonly ack: boolean
  /** How many numbers were given up since the last call. */
  readonly abandoned: number
}

export const onDue = (self: ReceiveStream, nowMillis: number): Due => {
  let nack: Array<Range> | undefined
  let lost = 0
  if (self.nackDue <= nowMillis) {
    if (nowMillis - self.missingSince >= self.options.abandonMillis) {
      // Gaps that are about as old as the first go with it, if they were asked for: one after the other, each would take as long.
      abandonUpTo(self, Math.max(firstGapEnd(self), Math.min(self.missingUpTo, self.nackedUpTo)))
      self.missingFirst = Infinity
      self.nackDue = Infinity
      schedule(self, nowMillis)
    } else if (self.received < self.highest) {
      nack = gaps(self)
      for (const { from, to } of nack) lost += Math.max(0, to - Math.max(from - 1, self.nackedUpTo))
      self.nackedUpTo = Math.max(self.nackedUpTo, nack.at(-1)?.to ?? 0)
      self.nackDue = nowMillis + self.nackIntervalMillis
      self.nackIntervalMillis = Math.min(2 * self.nackIntervalMillis, self.options.nackIntervalMillisMax)
    } else self.nackDue = Infinity
  }
  const ack = self.ackDue <= nowMillis
  if (ack) {
    self.ackDue = Infinity
    self.unacknowledged = 0
    self.told = settled(self)
    self.toldReceived = self.received
    self.toldMillis = nowMillis
  }
  const abandoned = self.newlyAbandoned
  self.newlyAbandoned = 0
  return { nack, lost, ack, abandoned }
}

const firstGapEnd = (self: ReceiveStream): number => {
  let end = self.received + 1
  while (end < self.highest && markOf(self, end + 1) === absent) end++
  return end
}

const gaps = (self: ReceiveStream): Array<Range> => {
  const ranges: Array<Range> = []
  const end = Math.min(self.highest, self.received + scanMax)
  let number = self.received + 1
  while (number <= end && ranges.length < rangesMax) {
    if (markOf(self, number) !== absent) {
      number++
      continue
    }
    const from = number
    while (number <= end && markOf(self, number) === absent) number++
    ranges.push({ from, to: number - 1 })
  }
  return ranges
}
