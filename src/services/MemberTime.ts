/**
 * The times that a member goes by. Data (stamps, expiry) uses `now`: the member's physical clock while that agrees with
 * the cluster's, else corrected by the median of the others' (section 8 of the design, "Clock"). The protocol's timers use
 * `ticks`, which no correction of any clock moves.
 */
import type * as Clock from "effect/Clock"
import * as Stamp from "../domain/Stamp.ts"
import type { Coarsen } from "./CoarseClock.ts"

export interface MemberTime {
  /** This member's own clock, whole Unix milliseconds. */
  readonly physical: () => number
  /** Physical time plus the correction. */
  readonly now: () => number
  /** `now` as lookups read it: it may lag, by less than `RecordTable.glanceMarginMillis`. */
  readonly glance: () => number
  /** Monotonic milliseconds from an arbitrary start. */
  readonly ticks: () => number
  readonly correctionMillis: () => number
  readonly correct: (millis: number) => void
}

export const make = (clock: Clock.Clock, coarsen: Coarsen): MemberTime => {
  let correction = 0
  // A clock that was never set counts from the day from which stamps count: before it there are none, and everything that
  // others write would be too far ahead.
  const physical = (): number => {
    const millis = Math.floor(clock.currentTimeMillisUnsafe())
    return millis < Stamp.epochMillis ? Stamp.epochMillis + millis : millis
  }
  const coarse = coarsen(physical)
  return {
    physical,
    now: () => physical() + correction,
    glance: () => coarse() + correction,
    ticks: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    correctionMillis: () => correction,
    correct: (millis) => {
      correction = millis
    }
  }
}
