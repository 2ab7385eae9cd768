/**
 * Anti-entropy and join: bringing replicas together by pulling (section 8 of the design). Owned by the Housekeeper.
 *
 * One thing happens here, the *take*: this member pulls what it lacks from a donor, bucket by bucket, and concludes
 * absence from complete listings only (`Repair`). A join is a take of everything; a symmetric repair is two takes, as the
 * other side sees the same difference. Takes are started by
 *
 * - opening a namespace: from a `ready` donor that has caught up with it;
 * - a light digest that differs in two successive pulses of a member, while nothing of it is missing;
 * - a number that was given up or refused: from its sender, which is acknowledged again only when that is done; in mode 0, if it
 *   was refused, from all;
 * - the full check every `cachePulseMillis`, and in mode 0 only that and gaps, as it has no digests.
 *
 * Guarantees: one take per namespace at a time and `takesAtOnce` in all; a take that brings nothing for
 * `repairTimeoutMillis` ends; traffic is paced by the taker: what is under way is bounded in requests and in bytes.
 */
import type { Protocol } from "../domain/Configuration.ts"
import * as HybridClock from "../domain/HybridClock.ts"
import type { Member, Membership } from "../domain/Membership.ts"
import type { NamespaceSummary } from "../domain/Operation.ts"
import * as Repair from "../domain/Repair.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { Counters } from "./Counters.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"
import type { Requests } from "./Requests.ts"
import * as Take from "./Take.ts"
import type { TakeEnded } from "./TakeSpans.ts"

export interface Host {
  readonly time: MemberTime
  readonly clock: HybridClock.HybridClock
  readonly protocol: Protocol
  readonly cachePulseMillis: number
  /** What one datagram carries. */
  readonly pieceBytes: number
  /** A take begins; what it returns is told how it ended. */
  readonly took: (namespace: Namespace, donor: MemberId, kind: Take.Take["kind"]) => TakeEnded
  readonly counters: Counters
  readonly random: () => number
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly membership: Membership
  readonly requests: Requests
  /** Whether this member has joined the cluster. */
  readonly joined: () => boolean
  /** The greatest number of a sender that is known to exist: a take that begins now covers all up to it. */
  readonly highestOf: (member: MemberId) => number
  /** The greatest number of a sender that was given up and is not made good; 0 for none. */
  readonly givenUpOf: (member: MemberId) => number
  /** Whether something that somebody sent is missing here: then a difference is no wonder. */
  readonly hasGap: () => boolean
  readonly repaired: (member: MemberId, upTo: number) => void
  /** A namespace caught up, or failed to. */
  readonly caughtUp: (namespace: Namespace) => void
  /** A repair found and removed differences. */
  readonly incoherent: (namespace: Namespace, member: MemberId, records: number) => void
}

/** What is known of a namespace's coherence. */
interface State {
  readonly namespace: Namespace
  take: Take.Take | undefined
  /** Donors to take from, and when. */
  readonly wanted: Map<MemberId, number>
  /** Mode 0: members with which it must be checked because one died, or was refused. */
  readonly owed: Set<MemberId>
  /** How many successive pulses of a member differed. */
  readonly differing: Map<MemberId, number>
  /** Donors that failed during this join. */
  readonly failed: Set<MemberId>
  /** Members that do not have it, or not yet, as they said themselves. */
  readonly asked: Set<MemberId>
  /** Up to which number of each sender all is had here: what the donor of its join had folded, and what was taken since. */
  readonly vouched: Map<MemberId, number>
  /** The numbers of each sender that were heard before it was open, and passed by. */
  heard: ReadonlyMap<MemberId, number>
  /** Whether a donor has given it: it has caught up when what that one lacked is had, too. */
  given: boolean
  /** Takes in a row that said nothing, as the donor's clock is in another quantum. */
  disagreed: number
  checkDue: number
}

/** A sender of which something was given up: which namespaces still have to take from it. */
interface Gap {
  /** The greatest number that was known to exist when it was found. */
  readonly found: number
  upTo: number
  readonly remaining: Set<string>
  /** Something more was given up after the takes began. */
  again: boolean
  due: number
  readonly sinceTicks: number
}

export interface AntiEntropy {
  readonly opened: (namespace: Namespace) => void
  /** Starts the namespace anew: empty, and to be transferred again, after a pause. */
  readonly restart: (namespace: Namespace, pauseMillis: number) => void
  readonly onSummary: (member: Member, summary: NamespaceSummary) => void
  readonly gap: (member: MemberId) => void
  /** A member is gone. `clean`: nothing that it sent is missing here. */
  readonly onLeft: (member: MemberId, clean: boolean) => void
  readonly onDue: () => void
  readonly nextDue: () => number
}

/** Takes that run at the same time, of all namespaces. */
const takesAtOnce = 8
/** After this many pulses in a row a difference is repaired although writes go on. */
const differingPatience = 10
/** A replica that did not change for this long is quiet: its digest may be compared. */
const quietMillis = 150
const retryMillis = 250
/**
 * Between clocks that agree one take or two in a row fall on different sides of a quantum's end. Those of a newcomer and of somebody
 * whose clock is off may disagree until it has caught up, and counts: it takes all the same, and compares more than differs.
 */
const disagreementsMax = 20

export const make = (host: Host): AntiEntropy => {
  const { counters, membership, protocol, time } = host
  const states = new Map<string, State>()
  const gaps = new Map<MemberId, Gap>()
  let takes = 0

  // ------------------------------------------------------------------------------------------------ takes

  /** Whether something that only this member can tell may be missing here. */
  const isOwed = (state: State, member: MemberId): boolean =>
    state.owed.has(member) || (gaps.get(member)?.remaining.has(state.namespace.name) ?? false)

  const begin = (state: State, donor: Member, kind: Take.Take["kind"]): void => {
    takes++
    const told = host.took(state.namespace, donor.id, kind)
    if (kind === "join") counters.joins++
    else counters.repairRounds++
    // What was missed of a smaller one it may have written, and forgotten since: only its forget line tells of that.
    const conclusive = kind === "join" || isOwed(state, donor.id)
    state.take = Take.start(
      host,
      {
        conclusive,
        donor,
        kind,
        namespace: state.namespace,
        anyQuantum: !state.namespace.caughtUp && state.disagreed >= disagreementsMax
      },
      (take, how) => {
        told(how, take.records())
        ended(state, take, how)
      }
    )
  }

  const ended = (state: State, { donor: { id: donor }, kind, records, settled }: Take.Take, how: Take.Ending): void => {
    const now = time.ticks()
    takes--
    state.take = undefined
    state.disagreed = how === "retry" ? state.disagreed + 1 : 0
    state.differing.delete(donor)
    counters.repairedRecords += records()
    if (kind === "repair" && records() > 0) host.incoherent(state.namespace, donor, records())
    // From a donor that does not have it nothing can be missing.
    if (how === "closed") vouch(state, donor, state.heard.get(donor) ?? 0)
    if (how === "later") vouch(state, donor, settled().get(donor) ?? 0)
    if (how === "done" || (how === "closed" && kind === "repair")) {
      state.wanted.delete(donor)
      state.owed.delete(donor)
      if (kind === "repair") {
        vouch(state, donor, state.heard.get(donor) ?? 0)
        gapTaken(state.namespace.name, donor)
      } else {
        state.given = true
        for (const [sender, number] of settled()) vouch(state, sender, number)
      }
      if (!state.namespace.caughtUp) settle(state)
      return
    }
    // An unfinished or failed take is tried again while somebody needs it; a join then asks another donor first.
    if (kind === "join") {
      const asked = (how === "closed" || how === "later") &&
        !membership.members.get(donor)?.summaries.has(state.namespace.name)
      if (asked) state.asked.add(donor)
      else if (how !== "unfinished" && how !== "retry") state.failed.add(donor)
      state.checkDue = asked ? now : now + retryMillis * (how === "retry" ? 0.2 : 1)
    } else if (!state.namespace.caughtUp) {
      // Who does not answer acknowledges nothing of it either. Who has not caught up itself is waited for: it may hold what it
      // wrote, and nobody else does. Two never wait for each other: one waits for what another sent after that one's namespace
      // began, and before its own did.
      if (how === "failed") state.failed.add(donor)
      state.checkDue = now + retryMillis * (how === "retry" ? 0.2 : 1)
    } else if (membership.members.has(donor) && isOwed(state, donor)) {
      state.wanted.set(donor, now + retryMillis * (1 + host.random()))
    } else state.wanted.delete(donor)
  }

  const vouch = ({ vouched }: State, sender: MemberId, number: number): void => {
    if (number > (vouched.get(sender) ?? 0)) vouched.set(sender, number)
  }

  /** Everything up to here that a namespace needs passes by while it is not open, or is dropped when it starts anew. */
  const heardSoFar = (): ReadonlyMap<MemberId, number> =>
    new Map(Array.from(membership.members.keys(), (member) => [member, host.highestOf(member)]))

  /** A sender of which numbers passed by before the namespace was open, and which its donor had not folded either. */
  const unvouched = ({ failed, heard, vouched }: State): Member | undefined => {
    for (const [sender, number] of heard) {
      const member = membership.members.get(sender)
      if (member === undefined || member.suspect || failed.has(sender)) continue
      if ((vouched.get(sender) ?? 0) < number) return member
    }
    return undefined
  }

  /** A donor gave the namespace, or there is none: it has caught up, unless something is had from one more sender only. */
  const settle = (state: State): void => {
    // Partial and invalidating members start empty on purpose.
    const lacking = state.namespace.options.mode === 1 ? unvouched(state) : undefined
    if (lacking !== undefined) {
      begin(state, lacking, "repair")
      return
    }
    state.namespace.caughtUp = true
    state.failed.clear()
    state.asked.clear()
    state.checkDue = time.ticks() + host.cachePulseMillis
    host.caughtUp(state.namespace)
    for (const [member, gap] of gaps) {
      if (!gap.remaining.has(state.namespace.name)) continue
      if (isMissing(state, member)) state.wanted.set(member, time.ticks())
      else gapTaken(state.namespace.name, member)
    }
  }

  // ------------------------------------------------------------------------------------------------ gaps

  const gapTaken = (name: string, member: MemberId): void => {
    const gap = gaps.get(member)
    if (gap === undefined || gap.due !== Infinity) return
    gap.remaining.delete(name)
    if (gap.remaining.size > 0) return
    if (gap.again) {
      gap.again = false
      gap.due = time.ticks() + retryMillis * host.random()
      return
    }
    gaps.delete(member)
    host.repaired(member, gap.upTo)
  }

  /** Whether what was given up of a sender may be missing here, and is had from it. */
  const isMissing = ({ vouched }: State, member: MemberId): boolean =>
    membership.members.has(member) && (vouched.get(member) ?? 0) < host.givenUpOf(member)

  /** Begins the takes that cover what was given up of a sender. */
  const repairGap = (member: MemberId, gap: Gap): void => {
    const now = time.ticks()
    const refused = host.clock.refused > 0
    gap.upTo = host.highestOf(member)
    // Without digests nothing else would show what was refused: it is not made good before its time has come here, too,
    // and what is written here exceeds it.
    if ([...states.values()].some(({ namespace }) => namespace.options.mode !== 1)) {
      const aheadMillis = HybridClock.refusedForMillis(host.clock, time.now())
      const wait = Math.min(aheadMillis, gap.sinceTicks + protocol.abandonMillis - now)
      if (wait > 0) {
        gap.due = now + wait
        return
      }
      // While such writes go on only the first are old enough: the Listener asks again for the others.
      if (aheadMillis > 0) gap.upTo = gap.found
      HybridClock.readmit(host.clock, time.now(), protocol.abandonMillis)
    }
    gap.due = Infinity
    gap.remaining.clear()
    for (const state of states.values()) {
      const { namespace } = state
      if (namespace.options.mode === 2) {
        namespace.dropAll()
        continue
      }
      if (!isMissing(state, member)) continue
      // What holds nothing in mode 0 lacks nothing; but of what was missed something may be newer than what is being computed.
      if (namespace.options.mode === 0 && namespace.replica.records.size === 0) {
        namespace.overtake()
        continue
      }
      gap.remaining.add(namespace.name)
      // While it joins, its donor may bring what the sender wrote before; that is known when it has caught up.
      if (!namespace.caughtUp) continue
      // A take that runs already began before the loss was known: it does not count.
      if (state.take?.donor.id === member) state.take.end("failed")
      state.wanted.set(member, time.ticks())
      // Its writer may have started anew, and not hold it any more: who did not refuse it is asked, too.
      if (refused && namespace.options.mode === 0) checkAll(state, now)
    }
    if (gap.remaining.size === 0) {
      gaps.delete(member)
      host.repaired(member, gap.upTo)
    }
  }

  // ------------------------------------------------------------------------------------------------ joining

  /** The members that can give a namespace, or "unknown" while one of them has not told what it has. */
  const donors = (state: State): ReadonlyArray<Member> | "unknown" => {
    const found: Array<Member> = []
    for (const member of membership.members.values()) {
      if (!member.ready || member.suspect) continue
      if (!member.told) {
        if (time.ticks() - member.metMillis < 2 * protocol.heartbeatMillis + 200) return "unknown"
        continue
      }
      const summary = member.summaries.get(state.namespace.name)
      if (summary !== undefined && summary.caughtUp && summary.fingerprint === state.namespace.fingerprint) {
        found.push(member)
      }
    }
    return found
  }

  const join = (state: State, now: number): void => {
    if (state.given) return settle(state)
    const found = donors(state)
    if (found === "unknown") {
      state.checkDue = now + 20
      return
    }
    if (found.length === 0) {
      // Somebody may have it open since the last heartbeat, or have more namespaces than were told: everyone is asked.
      const unasked = [...membership.members.values()].find((member) =>
        member.ready && !member.suspect && !member.summaries.has(state.namespace.name) && !state.asked.has(member.id)
      )
      return unasked === undefined ? settle(state) : begin(state, unasked, "join")
    }
    const fresh = found.filter((donor) => !state.failed.has(donor.id))
    if (fresh.length === 0) state.failed.clear()
    const able = fresh.length === 0 ? found : fresh
    // A smaller or larger one knows less of what is gone.
    const alike = able.filter(({ summaries }) => summaries.get(state.namespace.name)?.sizing === state.namespace.sizing)
    const choice = alike.length === 0 ? able : alike
    begin(state, choice[Math.floor(host.random() * choice.length)], "join")
  }

  // ------------------------------------------------------------------------------------------------ the rest

  const compare = (member: Member, state: State, summary: NamespaceSummary): void => {
    const { namespace } = state
    if (
      namespace.options.mode !== 1 || !namespace.caughtUp || !summary.caughtUp || summary.quantum === 0 ||
      summary.sizing !== namespace.sizing || summary.fingerprint !== namespace.fingerprint
    ) return
    const own = Repair.light(namespace.replica, time.now())
    if (own.quantum !== summary.quantum) return
    const equal = own.count === summary.count && own.hash === summary.hash
    // Most heartbeats of a large cluster end here. Whether something is missing is a question to all its streams.
    if ((equal && !state.differing.has(member.id) && !state.wanted.has(member.id)) || host.hasGap()) return
    if (equal) {
      state.differing.delete(member.id)
      if (!gaps.has(member.id)) state.wanted.delete(member.id)
      return
    }
    const times = (state.differing.get(member.id) ?? 0) + 1
    state.differing.set(member.id, times)
    const quiet = namespace.isQuiet(quietMillis)
    if (times >= 2 && (quiet || times >= differingPatience) && !state.wanted.has(member.id)) {
      state.wanted.set(member.id, time.ticks() + host.random() * protocol.repairDelayMillisMax)
    }
  }

  /** What a sender said last, only some may have, and itself no more: everyone is asked, also who does not answer just now. */
  const checkAll = (state: State, now: number): void => {
    for (const id of membership.members.keys()) {
      state.owed.add(id)
      state.wanted.set(id, now)
    }
    // One that runs may have listed already what has changed since: it does not count.
    state.take?.end("failed")
  }

  /** The full check: one member, by chance, even if nothing seems to differ. */
  const check = (state: State, now: number): void => {
    state.checkDue = now + host.cachePulseMillis
    if (state.namespace.options.mode === 2) return
    const found = donors(state)
    if (found === "unknown" || found.length === 0) return
    if (state.namespace.options.mode === 0) { for (const donor of found) state.wanted.set(donor.id, now) }
    else state.wanted.set(found[Math.floor(host.random() * found.length)].id, now)
  }

  return {
    opened: (namespace) => {
      const now = time.ticks()
      const state: State = {
        namespace,
        take: undefined,
        wanted: new Map(),
        owed: new Set(),
        differing: new Map(),
        failed: new Set(),
        asked: new Set(),
        vouched: new Map(),
        heard: heardSoFar(),
        given: false,
        disagreed: 0,
        checkDue: now
      }
      states.set(namespace.name, state)
      if (namespace.options.mode !== 1) settle(state)
    },
    restart: (namespace, pauseMillis) => {
      const state = states.get(namespace.name)
      if (state === undefined) return
      state.take?.end("failed")
      namespace.caughtUp = namespace.options.mode !== 1
      state.failed.clear()
      state.vouched.clear()
      state.heard = heardSoFar()
      state.given = false
      state.checkDue = time.ticks() + pauseMillis
    },
    onSummary: (member, summary) => {
      const state = states.get(summary.name)
      if (state === undefined) return
      if (summary.floor > state.namespace.replica.floor) state.namespace.clearWith(summary.floor)
      compare(member, state, summary)
    },
    gap: (member) => {
      const known = gaps.get(member)
      if (known !== undefined) {
        if (known.due === Infinity) known.again = true
        return
      }
      const now = time.ticks()
      gaps.set(member, {
        found: host.highestOf(member),
        upTo: 0,
        remaining: new Set(),
        again: false,
        due: now + 50 * host.random(),
        sinceTicks: now
      })
    },
    onLeft: (member, clean) => {
      gaps.delete(member)
      const now = time.ticks()
      for (const state of states.values()) {
        // Without digests nothing else would show what it said last. In mode 1 the digests of the others do.
        if (!clean && state.namespace.options.mode === 2) state.namespace.dropAll()
        if (!clean && state.namespace.options.mode === 0) checkAll(state, now)
        state.owed.delete(member)
        state.asked.delete(member)
        if (state.take?.donor.id === member) state.take.end("failed")
        state.wanted.delete(member)
        state.differing.delete(member)
        state.failed.delete(member)
        state.vouched.delete(member)
      }
    },
    onDue: () => {
      const now = time.ticks()
      for (const [member, gap] of gaps) if (gap.due <= now && host.joined()) repairGap(member, gap)
      for (const state of states.values()) {
        if (takes >= takesAtOnce || !host.joined()) break
        if (state.take !== undefined) continue
        if (!state.namespace.caughtUp) {
          if (state.checkDue <= now) join(state, now)
          continue
        }
        if (state.checkDue <= now) check(state, now)
        for (const [id, due] of state.wanted) {
          if (due > now) continue
          const donor = membership.members.get(id)
          if (donor === undefined) {
            state.wanted.delete(id)
            continue
          }
          // If it came together meanwhile, the digests are equal and the take ends at once.
          begin(state, donor, "repair")
          break
        }
      }
    },
    nextDue: () => {
      if (!host.joined()) return Infinity
      let due = Infinity
      for (const gap of gaps.values()) due = Math.min(due, gap.due)
      if (takes >= takesAtOnce) return due
      for (const state of states.values()) {
        if (state.take !== undefined) continue
        due = Math.min(due, state.checkDue)
        if (state.namespace.caughtUp) { for (const at of state.wanted.values()) due = Math.min(due, at) }
      }
      return due
    }
  }
}
