/**
 * Waits for other members: `flush` and `ack`. A barrier is fixed at the call: what was in the outbox then, and the members
 * that were live then. Later joiners are not awaited; leavers are reported; a member has passed when it settled the
 * number of the last datagram that carries anything written before the barrier.
 *
 * Guarantees (invariant 9): a barrier is passed only when the members that it counts have folded, or hold something
 * newer than, everything that was written here before it was made.
 */
import type { MemberId } from "./Stamp.ts"

export interface Barrier {
  /** Outbox places up to this one were given out before the call. */
  readonly place: number
  /** The number that covers them; unknown until they are sent. */
  number: number
  readonly awaited: Set<MemberId>
  readonly passed: Set<MemberId>
  readonly left: Set<MemberId>
  /** How many members must pass. */
  readonly needed: number
  /** Called once, when the barrier is passed (true) or can no longer be (false). */
  readonly done: (passed: boolean) => void
}

export interface Barriers {
  readonly active: Set<Barrier>
}

export const make = (): Barriers => ({ active: new Set() })

export const add = (
  self: Barriers,
  options: { readonly place: number; readonly members: Iterable<MemberId>; readonly needed: number | "all" },
  done: (passed: boolean) => void
): Barrier => {
  const awaited = new Set(options.members)
  const barrier: Barrier = {
    place: options.place,
    number: Infinity,
    awaited,
    passed: new Set(),
    left: new Set(),
    needed: options.needed === "all" ? -1 : options.needed,
    done
  }
  self.active.add(barrier)
  return barrier
}

export const remove = (self: Barriers, barrier: Barrier): void => {
  self.active.delete(barrier)
}

const settle = (self: Barriers, barrier: Barrier): void => {
  const enough = barrier.needed < 0 ? barrier.awaited.size === 0 : barrier.passed.size >= barrier.needed
  if (enough && barrier.number !== Infinity) {
    self.active.delete(barrier)
    barrier.done(true)
  } else if (barrier.needed >= 0 && barrier.passed.size + barrier.awaited.size < barrier.needed) {
    self.active.delete(barrier)
    barrier.done(false)
  }
}

/** Everything with a place below `oldestPlace` has been sent, in numbers up to `highest`. */
export const onSent = (
  self: Barriers,
  oldestPlace: number,
  highest: number,
  settledOf: (member: MemberId) => number
): void => {
  for (const barrier of self.active) {
    if (barrier.number !== Infinity || barrier.place >= oldestPlace) continue
    barrier.number = highest
    for (const member of barrier.awaited) if (settledOf(member) >= highest) pass(barrier, member)
    settle(self, barrier)
  }
}

const pass = (barrier: Barrier, member: MemberId): void => {
  barrier.awaited.delete(member)
  barrier.passed.add(member)
}

export const onSettled = (self: Barriers, member: MemberId, settled: number): void => {
  for (const barrier of self.active) {
    if (settled < barrier.number || !barrier.awaited.has(member)) continue
    pass(barrier, member)
    settle(self, barrier)
  }
}

export const onLeft = (self: Barriers, member: MemberId): void => {
  for (const barrier of self.active) {
    if (!barrier.awaited.delete(member)) continue
    barrier.left.add(member)
    settle(self, barrier)
  }
}
