/**
 * Who is in the cluster, from one member's point of view, and what time they think it is.
 *
 * A member is added when it has proved itself, is `suspect` when nothing was heard of it for `suspectMillis`, and removed
 * after `removeMillis`, or at once when it says that it leaves. When this member itself was late (a stalled loop, a
 * stopped process, a sleeping machine), the others are given that time back before they are judged.
 *
 * The clock: every member takes the lower median of the offsets of the `ready` members, its own offset (0) included once
 * it is one of them; of two the elder's. Within `clockKeepMillis` it keeps its own clock.
 */
import type { NamespaceSummary } from "./Operation.ts"
import type { MemberId } from "./Stamp.ts"

/** @category models */
export interface Member {
  readonly id: MemberId
  address: string
  readonly host: string
  readonly pid: number
  readonly thread: number
  readonly version: string
  ready: boolean
  /** Whether it was there before this member: of two it is the one whose clock counts. */
  readonly elder: boolean
  suspect: boolean
  heardMillis: number
  readonly metMillis: number
  /** Its physical clock minus ours: the greatest of the last samples, as delay only makes them smaller. */
  offsetMillis: number
  readonly samples: Array<{ readonly atMillis: number; offsetMillis: number }>
  /** What it told of its namespaces, by name. */
  readonly summaries: Map<string, NamespaceSummary>
  /** Whether it told them at all. */
  told: boolean
}

export interface Timings {
  readonly suspectMillis: number
  readonly removeMillis: number
  readonly clockKeepMillis: number
}

export interface Membership {
  readonly self: MemberId
  readonly timings: Timings
  readonly members: Map<MemberId, Member>
}

export const make = (self: MemberId, timings: Timings): Membership => ({ self, timings, members: new Map() })

export const add = (
  self: Membership,
  member: {
    readonly id: MemberId
    readonly address: string
    readonly host: string
    readonly pid: number
    readonly thread: number
    readonly version: string
    readonly ready: boolean
    readonly elder?: boolean | undefined
    readonly offsetMillis: number
  },
  nowMillis: number
): Member => {
  const added: Member = {
    ...member,
    elder: member.elder ?? false,
    suspect: false,
    heardMillis: nowMillis,
    metMillis: nowMillis,
    summaries: new Map(),
    told: false,
    samples: []
  }
  self.members.set(member.id, added)
  return added
}

/** A message that is newer than all before it is a sign of life. Returns whether the member was suspected until now. */
export const hear = (member: Member, nowMillis: number): boolean => {
  if (nowMillis > member.heardMillis) member.heardMillis = nowMillis
  const recovered = member.suspect
  member.suspect = false
  return recovered
}

/** What this member did not hear because it was late itself is nobody's fault. */
export const forgive = (self: Membership, lateMillis: number): void => {
  for (const member of self.members.values()) member.heardMillis += lateMillis
}

/** Judges silence: the members newly suspected, and those now removed. */
export const tick = (
  self: Membership,
  nowMillis: number
): { readonly suspected: ReadonlyArray<Member>; readonly removed: ReadonlyArray<Member> } => {
  const suspected: Array<Member> = []
  const removed: Array<Member> = []
  for (const member of self.members.values()) {
    const silence = nowMillis - member.heardMillis
    if (silence >= self.timings.removeMillis) {
      self.members.delete(member.id)
      removed.push(member)
    } else if (silence >= self.timings.suspectMillis && !member.suspect) {
      member.suspect = true
      suspected.push(member)
    }
  }
  return { suspected, removed }
}

const samplesMax = 8
/**
 * Samples that come this close to each other count as one: after a pause, a socket holds many messages that are all as old
 * as the pause was long, and none of them may push out the good samples from before it.
 */
const sampleIntervalMillis = 500

/** Notes a sample of a member's clock against ours. */
export const sampleOffset = (member: Member, offsetMillis: number, nowMillis: number): void => {
  const { samples } = member
  const last = samples.at(-1)
  if (last !== undefined && nowMillis - last.atMillis < sampleIntervalMillis) {
    last.offsetMillis = Math.max(last.offsetMillis, offsetMillis)
  } else {
    samples.push({ atMillis: nowMillis, offsetMillis })
    if (samples.length > samplesMax) samples.shift()
  }
  member.offsetMillis = Math.max(...samples.map((sample) => sample.offsetMillis))
}

/** A corrected clock is kept to itself again only when it is nearer than this share of `clockKeepMillis`. */
const returnShare = 0.8

/**
 * The correction of this member's clock in milliseconds: 0 while it agrees with the others' median. `current` is the
 * correction in force: without some inertia a clock at the limit would go back and forth.
 */
export const correction = (self: Membership, ready: boolean, current: number): number => {
  const offsets: Array<number> = ready ? [0] : []
  let elder = false
  for (const member of self.members.values()) {
    if (!member.ready) continue
    offsets.push(member.offsetMillis)
    elder = member.elder
  }
  if (offsets.length === 0) return 0
  // Two have no majority: a newcomer whose clock is slow must not make the other start anew.
  const two = ready && offsets.length === 2
  const other = offsets[offsets.length - 1]
  offsets.sort((a, b) => a - b)
  const median = two ? elder ? other : 0 : offsets[(offsets.length - 1) >> 1]
  const keep = self.timings.clockKeepMillis * (current === 0 ? 1 : returnShare)
  return Math.abs(median) <= keep ? 0 : median
}

/** How many members other than this one are not suspect. */
export const alive = (self: Membership): number => {
  let members = 0
  for (const member of self.members.values()) if (!member.suspect) members++
  return members
}

/** Whether this member has the lowest id of all that it knows. */
export const isLowest = (self: Membership): boolean => {
  for (const id of self.members.keys()) if (id < self.self) return false
  return true
}

/** The members that answer a joiner: those whose ids are nearest to its own, which all members compute alike. */
export const welcomes = (self: Membership, joiner: MemberId, membersMax: number): boolean => {
  const distance = (id: MemberId): number => parseInt(id.slice(0, 8), 16) ^ parseInt(joiner.slice(0, 8), 16)
  const own = distance(self.self) >>> 0
  let nearer = 0
  for (const member of self.members.values()) {
    if (member.id !== joiner && member.ready && !member.suspect && (distance(member.id) >>> 0) < own) nearer++
  }
  return nearer < membersMax
}
