/**
 * What the others' clocks say of this member's (section 6 of the design, "Clock"). Owned by the Housekeeper.
 *
 * Each heartbeat of a member is a sample of its clock. The median over all members is taken after it, but in a large cluster
 * not after every one: that would cost a member the square of the cluster's size.
 */
import type { Protocol } from "../domain/Configuration.ts"
import * as HybridClock from "../domain/HybridClock.ts"
import * as Membership from "../domain/Membership.ts"
import * as Stamp from "../domain/Stamp.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import type { MemberTime } from "./MemberTime.ts"

export interface Host {
  readonly time: MemberTime
  readonly protocol: Protocol
  readonly membership: Membership.Membership
  readonly clock: HybridClock.HybridClock
  readonly ready: () => boolean
  readonly publish: (event: ClusterEvent) => void
  /** The clock ran so far ahead that others refuse our stamps: start anew, empty. */
  readonly startAnew: () => void
}

interface Told {
  readonly physicalMillis: number
  /** The greatest clock value that it knows. */
  readonly clock: number
}

export interface OthersClocks {
  /** A member tells its clocks. */
  readonly note: (member: Membership.Member, told: Told) => void
  readonly onDue: () => void
  readonly nextDue: () => number
}

/** Members for whom the median is taken not more often than once a millisecond. */
const membersPerMilli = 10

export const make = (host: Host): OthersClocks => {
  const { clock, membership, protocol, time } = host
  let takenTicks = -Infinity
  let due = Infinity

  const correct = (): void => {
    due = Infinity
    takenTicks = time.ticks()
    const before = time.correctionMillis()
    const correction = Membership.correction(membership, host.ready(), before)
    // Following a median that wanders by a few milliseconds would make time restless.
    if (Math.abs(correction - before) <= (correction === 0 || before === 0 ? 0 : 20)) return
    time.correct(correction)
    host.publish({ type: "clock", correctionMillis: correction })
    if (Stamp.toMillis(clock.last) - time.now() > protocol.clockAheadMillisMax) host.startAnew()
  }

  const onDue = (): void => {
    if (time.ticks() >= due) correct()
  }

  return {
    note: (member, { clock: theirs, physicalMillis }) => {
      Membership.sampleOffset(member, physicalMillis - time.physical(), time.ticks())
      due = Math.min(due, takenTicks + Math.floor(membership.members.size / membersPerMilli))
      onDue()
      // By the corrected time: what is written here from now on is newer than all that it knows, also what never comes here.
      HybridClock.follow(clock, theirs, time.now())
    },
    onDue,
    nextDue: () => due
  }
}
