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
  /** The greatest value before it started anew: up to this, only values of the present base are given out. */
  past: number
  readonly clockAheadMillisMax: number
}

export const make = (options: { readonly clockAheadMillisMax: number }): HybridClock => ({
  last: 0,
  base: 0,
  past: 0,
  clockAheadMillisMax: options.clockAheadMillisMax
})

/** The next clock value of a local write: above everything seen and above `above`, and not behind physical time. */
export const next = (self: HybridClock, nowMillis: number, above: number): number => {
  const physical = Stamp.fromMillis(nowMillis) + self.base
  const least = (self.last > above ? self.last : above) + 1
  const clock = physical > least ? physical : least
  return self.last = clock > self.past ? clock : ofBase(clock, self.base)
}

/** A clock may start anew this often before it comes to values that it may have given out. */
const bases = 4
const valuesOfBase = Stamp.ticksPerMilli / bases

/** The least value, not below `clock`, among those of a base. What was received may be one of any base. */
const ofBase = (clock: number, base: number): number => {
  const counter = clock % Stamp.ticksPerMilli
  if (counter >= base && counter < base + valuesOfBase) return clock
  return clock - counter + base + (counter < base ? 0 : Stamp.ticksPerMilli)
}

/** Folds a received clock value. False when it is too far ahead: refused, and the clock is not advanced. */
export const observe = (self: HybridClock, clock: number, nowMillis: number): boolean => {
  if (clock <= self.last) return true
  if (clock > Stamp.fromMillis(nowMillis + self.clockAheadMillisMax)) return false
  self.last = clock
  return true
}

/**
 * Starts anew from physical time, for a clock that ran far ahead. The milliseconds that it goes through once more begin
 * with another value, so that a stamp given out before is not given out again with other content.
 */
export const restart = (self: HybridClock): void => {
  self.past = Math.max(self.past, self.last)
  self.last = 0
  self.base = (self.base + valuesOfBase) % Stamp.ticksPerMilli
}
