/**
 * What a member of the stress test does next, from a seed. Pure.
 *
 * As McCache's own: of 100 operations 55 look up, 40 write (an insert or an update, as it finds the key) and 5 delete; each is
 * followed by a pause of 0.65 to 1.35 times the aperture. Half of the operations go to keys that all members change, which
 * makes them collide, and half to keys that only this member changes, of which it knows what they must hold.
 */
import * as NetworkFaults from "../NetworkFaults.ts"
import { keysOf, sizesBytes, type Workload } from "./Plan.ts"

export interface Operation {
  readonly kind: "lookup" | "write" | "delete"
  readonly key: string
  /** Whether only this member changes the key. */
  readonly own: boolean
  /** Of the value, when it writes one. */
  readonly bytes: number
  /** Until the next operation. */
  readonly pauseMillis: number
}

export interface Monkey {
  readonly next: () => Operation
}

const lookups = 0.55
const deletes = 0.05
const spread = 0.35

export const make = (workload: Workload): Monkey => {
  const { apertureMillis, member, seed, sizes } = workload
  // Members differ by more than their seeds, which mulberry32 alone would not make of neighbours.
  const random = NetworkFaults.mulberry32(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(member + 1, 0x85eb_ca6b))
  const { ownOfEach, shared } = keysOf(workload)
  const below = (count: number): number => Math.floor(random() * count)
  const bytes = (): number => {
    const size = sizes === "both" ? (random() < 0.5 ? "small" : "large") : sizes
    const { maximum, minimum } = sizesBytes[size]
    return minimum + below(maximum - minimum + 1)
  }
  return {
    next: () => {
      const own = ownOfEach > 0 && random() < 0.5
      const key = own ? `own-${member}-${below(ownOfEach)}` : `shared-${below(shared)}`
      const share = random()
      const kind = share < lookups ? "lookup" : share < lookups + deletes ? "delete" : "write"
      return {
        kind,
        key,
        own,
        bytes: kind === "write" ? bytes() : 0,
        pauseMillis: apertureMillis * (1 - spread + 2 * spread * random())
      }
    }
  }
}
