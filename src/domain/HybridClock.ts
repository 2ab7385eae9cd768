/**
 * The hybrid logical clock of a member (Kulkarni et al., 2014): never behind physical time, never behind what was
 * received, strictly increasing for local writes. All namespaces of a member share one.
 */
import * as Stamp from "./Stamp.ts"

export interface HybridClock {
  /** The greatest clock value given out or received. */
  last: number
  /** Where the values of a millisecond begin. */
  base: number
  /** The greatest value that was refused. */
  refused: number
  readonly clockAheadMillisMax: number
}

/** The values of a millisecond that one start of the clock gives out. */
const quarter = Stamp.ticksPerMilli / 4

export const make = (options: { readonly clockAheadMillisMax: number }): HybridClock => ({
  last: 0,
  base: 0,
  refused: 0,
  clockAheadMillisMax: options.clockAheadMillisMax
})

/** The next clock value of a local write: above everything seen and above `above`, and not behind physical time. */
export const next = (self: HybridClock, nowMillis: number, above: number): number => {
  const physical = Stamp.fromMillis(nowMillis) + self.base
  const least = (self.last > above ? self.last : above) + 1
  return self.last = physical > least ? physical : ownAbove(self, least)
}

/**
 * The first value from `least` on that belongs to this start: each gives out one quarter of every millisecond. What others
 * say may lead the clock through values that were given out here before it was started anew.
 */
const ownAbove = (self: HybridClock, least: number): number => {
  const within = least % Stamp.ticksPerMilli - self.base
  if (within < 0) return least - within
  return within < quarter ? least : least - within + Stamp.ticksPerMilli
}

/** Folds a received clock value. False when it is too far ahead: refused, and the clock is not advanced. */
export const observe = (self: HybridClock, clock: number, nowMillis: number): boolean => {
  if (clock <= self.last) return true
  if (clock > Stamp.fromMillis(nowMillis + self.clockAheadMillisMax)) {
    if (clock > self.refused) self.refused = clock
    return false
  }
  self.last = clock
  return true
}

/** Runs on to the value that another member's clock has; not to one too far ahead, of which nothing was refused here. */
export const follow = (self: HybridClock, clock: number, nowMillis: number): void => {
  if (clock > self.last && clock <= Stamp.fromMillis(nowMillis + self.clockAheadMillisMax)) self.last = clock
}

/** Until nothing that was refused is too far ahead any more, in milliseconds: 0 for now. */
export const refusedForMillis = (self: HybridClock, nowMillis: number): number =>
  self.refused === 0 ? 0 : Math.max(0, Stamp.toMillis(self.refused) + 1 - self.clockAheadMillisMax - nowMillis)

/** Takes in what was refused, now that it is not too far ahead any more; of what still is, at most so many milliseconds are waited for. */
export const readmit = (self: HybridClock, nowMillis: number, waitMillisMax: number): void => {
  const { refused } = self
  self.refused = 0
  if (refused === 0 || observe(self, refused, nowMillis)) return
  self.refused = Math.min(refused, Stamp.fromMillis(nowMillis + self.clockAheadMillisMax + waitMillisMax))
}

/**
 * Starts anew from physical time, for a clock that ran far ahead. The milliseconds that it goes through once more begin
 * with another value, so that a stamp given out before is not given out again with other content.
 */
export const restart = (self: HybridClock): void => {
  self.last = 0
  self.base = (self.base + quarter) % Stamp.ticksPerMilli
}
