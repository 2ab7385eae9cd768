/**
 * The sender's one stream: it numbers bodies from 1 and keeps them for repeats, bounded in bytes. The content of a number
 * never changes, and a number is never used twice.
 */
import * as Invariant from "./Invariant.ts"

export interface Range {
  readonly from: number
  readonly to: number
}

export interface SendStream {
  readonly retainBytesMax: number
  readonly resendIntervalMillis: number
  highest: number
  lowest: number
  bytes: number
  /** What somebody was told that it will hear, and until when that is kept. */
  promisedFirst: number
  promisedUntilMillis: number
  /** Bodies by number, a ring of a power of two: `lowest` to `highest` are held. */
  bodies: Array<Uint8Array | undefined>
  resentMillis: Array<number>
  /** To whom it was sent again: one member, or `everyone`. */
  resentTo: Array<string>
}

const everyone = ""
const ringInitial = 256

export const make = (options: {
  readonly retainBytesMax: number
  readonly resendIntervalMillis?: number | undefined
}): SendStream => ({
  retainBytesMax: options.retainBytesMax,
  resendIntervalMillis: options.resendIntervalMillis ?? 10,
  highest: 0,
  lowest: 1,
  bytes: 0,
  promisedFirst: 1,
  promisedUntilMillis: -Infinity,
  bodies: new Array<Uint8Array | undefined>(ringInitial).fill(undefined),
  resentMillis: new Array<number>(ringInitial).fill(-Infinity),
  resentTo: new Array<string>(ringInitial).fill(everyone)
})

export const lowest = (self: SendStream): number => self.lowest
export const highest = (self: SendStream): number => self.highest
export const retainedBytes = (self: SendStream): number => self.bytes

const grow = (self: SendStream): void => {
  const size = self.bodies.length
  const bodies = new Array<Uint8Array | undefined>(2 * size).fill(undefined)
  const resent = new Array<number>(2 * size).fill(-Infinity)
  const resentTo = new Array<string>(2 * size).fill(everyone)
  for (let number = self.lowest; number <= self.highest; number++) {
    bodies[number & (2 * size - 1)] = self.bodies[number & (size - 1)]
    resent[number & (2 * size - 1)] = self.resentMillis[number & (size - 1)]
    resentTo[number & (2 * size - 1)] = self.resentTo[number & (size - 1)]
  }
  self.bodies = bodies
  self.resentMillis = resent
  self.resentTo = resentTo
}

const drop = (self: SendStream): void => {
  const slot = self.lowest & (self.bodies.length - 1)
  self.bytes -= self.bodies[slot]?.length ?? 0
  self.bodies[slot] = undefined
  self.lowest++
}

/** Numbers a body and keeps it; the oldest go when the bound is passed. Returns the number. */
export const append = (self: SendStream, body: Uint8Array): number => {
  const number = self.highest + 1
  Invariant.check(number < 2 ** 46, "a stream has fewer than 2^46 numbers")
  if (number - self.lowest >= self.bodies.length) grow(self)
  const slot = number & (self.bodies.length - 1)
  self.bodies[slot] = body
  self.resentMillis[slot] = -Infinity
  self.highest = number
  self.bytes += body.length
  while (self.bytes > self.retainBytesMax && self.lowest < self.highest) drop(self)
  return number
}

/**
 * Uses up a number that is never sent, and keeps nothing: receivers find that they miss it, that it is not to be had, and
 * turn to repair.
 */
export const skip = (self: SendStream): void => {
  self.highest++
  while (self.lowest <= self.highest) drop(self)
  self.bytes = 0
}

/** Keeps the numbers from `first` on for somebody whose first acknowledgement may yet come: for so long. */
export const promise = (self: SendStream, first: number, nowMillis: number, forMillis: number): void => {
  self.promisedFirst = nowMillis < self.promisedUntilMillis ? Math.min(self.promisedFirst, first) : first
  self.promisedUntilMillis = nowMillis + forMillis
}

/** Everybody has settled up to here: it needs not be kept, unless it is promised. */
export const settle = (self: SendStream, upTo: number, nowMillis: number): void => {
  const most = nowMillis < self.promisedUntilMillis ? Math.min(upTo, self.promisedFirst - 1) : upTo
  while (self.lowest <= most && self.lowest <= self.highest) drop(self)
  // After a burst the ring is given back.
  if (self.lowest > self.highest && self.bodies.length > 4_096) {
    self.bodies = new Array<Uint8Array | undefined>(ringInitial).fill(undefined)
    self.resentMillis = new Array<number>(ringInitial).fill(-Infinity)
    self.resentTo = new Array<string>(ringInitial).fill(everyone)
  }
}

/** The body of a number, if it is kept. */
export const body = (self: SendStream, number: number): Uint8Array | undefined =>
  number >= self.lowest && number <= self.highest ? self.bodies[number & (self.bodies.length - 1)] : undefined

/** A NACK spans no more numbers; of one that does, or whose ranges overlap, the rest is not looked at. */
const resendSpanMax = 4_096

/**
 * The numbers among those that `asker` asked for that may go out again: kept, and not sent again to it within the last moment.
 * At most `most` beside those that go out in this turn anyway; the rest is asked for again. What a second one asks for within that moment goes to everyone, once: in a large
 * cluster more have lost it, and one by one, a moment apart, the last of them would wait for seconds.
 */
export const resend = (
  self: SendStream,
  ranges: ReadonlyArray<Range>,
  nowMillis: number,
  most: number,
  asker: string = everyone
): ReadonlyArray<number> => {
  const numbers: Array<number> = []
  let fresh = 0
  let next = self.lowest
  const end = ranges.length === 0 ? 0 : Math.max(ranges[0].from, self.lowest) + resendSpanMax
  for (const range of ranges) {
    const to = Math.min(range.to, self.highest, end)
    for (let number = Math.max(range.from, next); number <= to; number++) {
      next = number + 1
      const slot = number & (self.bodies.length - 1)
      const resent = self.resentMillis[slot]
      const lately = nowMillis - resent < self.resendIntervalMillis
      const toOther = lately && self.resentTo[slot] !== everyone && self.resentTo[slot] !== asker
      const again = resent === nowMillis
      if ((lately && !toOther && !again) || (!again && fresh >= most) || self.bodies[slot] === undefined) continue
      if (!again) fresh++
      self.resentMillis[slot] = nowMillis
      self.resentTo[slot] = lately && self.resentTo[slot] !== asker ? everyone : asker
      numbers.push(number)
    }
  }
  return numbers
}

/** Whether a number that `resend` gave goes to everyone: several asked for it. */
export const isForAll = (self: SendStream, number: number): boolean =>
  self.resentTo[number & (self.bodies.length - 1)] === everyone
