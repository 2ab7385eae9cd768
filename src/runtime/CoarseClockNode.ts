/**
 * A clock for lookups that come by the thousand, on Node's event loop.
 *
 * As long as lookups are rare, each looks at the clock. When `rowMin` in a row saw the same millisecond, the following ones go by
 * that one, until the callback or the promise that they are in is done, or `sharedMax` of them did. A timer would be cheaper, and
 * is what `lru-cache` has; but what a process that was stopped for a while reads first, it reads before any timer fires.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type { Coarsen } from "../services/CoarseClock.ts"

const rowMin = 16
const sharedMax = 64

const coarsen: Coarsen = (exact) => {
  let seen = 0
  let row = 0
  let shared = 0
  let armed = false
  const over = (): void => {
    armed = false
    shared = 0
    row = 0
  }
  return () => {
    if (shared > 0) {
      shared--
      return seen
    }
    const now = exact()
    if (now !== seen) {
      seen = now
      row = 0
    } else if (++row >= rowMin) {
      // The next look, if it sees the same, is shared at once.
      row = rowMin - 1
      shared = sharedMax
      if (!armed) {
        armed = true
        queueMicrotask(over)
      }
    }
    return now
  }
}

const live = Context.get(Context.empty(), Clock.Clock)

/** How to read a clock: coarsely if it is the system's. One that a program provides, as a test does, is looked at each time. */
export const of = (clock: Clock.Clock): Coarsen => clock === live ? coarsen : (exact) => exact
