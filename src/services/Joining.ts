/**
 * Joining: how a member that starts finds the others, and when it is ready (section 8 of the design). Owned by the
 * Housekeeper.
 *
 * It announces itself (JOIN) every `joinIntervalMillis` until it knows as many members as it was told of, or `joinWaitMillis`
 * are over, of which only those count in which it could hear.
 *
 * 1. It has *joined* as soon as one that it met can be a donor, or nobody can: when it is alone, or the lowest of those
 *    that start together. Transfers begin.
 * 2. It is *acquainted* when it has met all that it was told of and heard: what others say passes by unheard, and they are
 *    not waited for. Whoever does not answer holds it up for ten times `joinWaitMillis` at most.
 * 3. It is *ready*, once and for all, when it is acquainted and all open namespaces have caught up.
 */
import type { Protocol } from "../domain/Configuration.ts"
import * as Membership from "../domain/Membership.ts"
import type { MemberTime } from "./MemberTime.ts"

export interface Host {
  readonly time: MemberTime
  readonly protocol: Protocol
  readonly membership: Membership.Membership
  /** Tells everybody that this member starts. */
  readonly announce: () => void
  /** Whether somebody is being met. */
  readonly meeting: () => boolean
  /** Whether every open namespace has caught up. */
  readonly caughtUp: () => boolean
  readonly becameReady: () => void
}

export interface Joining {
  readonly joined: () => boolean
  readonly acquainted: () => boolean
  /** Sticky: whether this member can be a donor. */
  readonly ready: () => boolean
  /** A member tells how many others it knows, this one among them: as many as there are for this one. */
  readonly welcomed: (members: number) => void
  readonly onDue: () => void
  readonly nextDue: () => number
}

export const make = (host: Host): Joining => {
  const { membership, protocol, time } = host
  let lastTicks = time.ticks()
  /**
   * How long this member has listened. While its process stands still it hears nobody, so a turn counts for no more than the
   * time from one announcement to the next: on a busy host the whole wait may pass before the first answer can be read.
   */
  let listenedMillis = 0
  let joined = false
  let acquainted = false
  let ready = false
  let due = lastTicks
  /** How many others there are, as the others say. */
  let told: number | undefined

  const patient = (): boolean => listenedMillis >= protocol.joinWaitMillis
  const tired = (): boolean => listenedMillis >= 10 * protocol.joinWaitMillis
  const knowsAll = (): boolean => told !== undefined && membership.members.size >= told

  const mayJoin = (): boolean => {
    for (const member of membership.members.values()) if (member.ready) return true
    if (tired()) return true
    return patient() && (membership.members.size === 0 ? !host.meeting() : Membership.isLowest(membership))
  }

  const hasMetAll = (): boolean => tired() || ((knowsAll() || patient()) && !host.meeting())

  return {
    joined: () => joined,
    acquainted: () => acquainted,
    ready: () => ready,
    welcomed: (members) => {
      told = Math.max(told ?? 0, members)
    },
    onDue: () => {
      if (ready) return
      const now = time.ticks()
      listenedMillis += Math.min(now - lastTicks, protocol.joinIntervalMillis)
      lastTicks = now
      joined ||= mayJoin()
      acquainted ||= joined && hasMetAll()
      if (acquainted && host.caughtUp()) {
        ready = true
        host.becameReady()
        return
      }
      if (now < due) return
      due = now + protocol.joinIntervalMillis
      if (patient() ? membership.members.size === 0 && !joined : !knowsAll()) host.announce()
    },
    nextDue: () => ready ? Infinity : due
  }
}
