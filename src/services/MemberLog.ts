/**
 * What a member logs of its cluster: what happened, to whom, and what to do. All of it can be caused by other members, so
 * that of each kind one line a second is logged, with how many were left out. Owned by the Housekeeper, which runs the lines
 * after its turn.
 */
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as LogLimit from "../domain/LogLimit.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import * as Printable from "../domain/Printable.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import { type Counters, type Refusal, refusals } from "./Counters.ts"

/** What members answer to people. */
export type Answered = "metrics" | "checksum"

export interface MemberLog {
  /** Notes a line; `reason` names its kind. */
  readonly say: (
    level: LogLevel.Severity,
    reason: string,
    message: string,
    details?: { readonly [name: string]: unknown }
  ) => void
  /** Notes what an event of the cluster says to people. */
  readonly event: (event: ClusterEvent, of: MemberLabel.MemberLabel | undefined) => void
  /** Notes what this member answered to people: of a kind once a minute, as who watches a cluster asks each second. */
  readonly answered: (what: Answered, json: () => string) => void
  /** Once a second, notes what was refused since, and how many lines were left out of what came too often. */
  readonly look: () => void
  /** Logs what was noted. */
  readonly take: () => Effect.Effect<void> | undefined
}

/** Of a member, `1f0c22aa (web-1:4242)`. */
const named = (id: MemberId, of: MemberLabel.MemberLabel | undefined): string =>
  of === undefined ? id.slice(0, 8) : `${id.slice(0, 8)} (${MemberLabel.of(of)})`

interface Line {
  readonly level: LogLevel.Severity
  readonly message: string
  readonly details: { readonly [name: string]: unknown }
}

const lookMillis = 1_000
const answerMillis = 60_000

export const make = (options: {
  readonly self: MemberId
  readonly ticks: () => number
  readonly counters: Counters
}): MemberLog => {
  const { counters, ticks } = options
  const limit = LogLimit.make(lookMillis)
  const answers = LogLimit.make(answerMillis)
  const lines: Array<Line> = []
  const seen = { ...counters.refused }
  const once = new Set<Refusal>()
  /** Of the last line of a kind: what was left out is told to whom the lines themselves are. */
  const levels = new Map<string, LogLevel.Severity>()
  let lookDue = -Infinity

  const say: MemberLog["say"] = (level, reason, message, details = {}) => {
    levels.set(reason, level)
    const leftOut = LogLimit.pass(limit, reason, ticks())
    if (leftOut === undefined) return
    lines.push({
      level,
      message: Printable.escaped(message),
      details: { ...details, ...(leftOut > 0 ? { leftOut } : {}) }
    })
  }

  const lookAtRefusals = (): void => {
    for (const refusal of refusals) {
      const count = counters.refused[refusal] - seen[refusal]
      if (count === 0) continue
      seen[refusal] = counters.refused[refusal]
      const { again, first, message } = refusalTexts[refusal]
      const from = counters.refusedFrom.get(refusal)
      say(once.has(refusal) ? again : first, `refused ${refusal}`, `McCache refused ${count} ${message}`, {
        refusal,
        count,
        ...(from === undefined ? {} : { lastFrom: from })
      })
      once.add(refusal)
    }
  }

  return {
    say,
    event: (event, of) => {
      const { level, message, ...details } = eventText(event, of)
      say(level, event.type, `McCache: ${message}`, details)
    },
    answered: (what, json) => {
      if (LogLimit.pass(answers, what, ticks()) === undefined) return
      say("Info", what, `McCache: this member's ${what}, as asked for`, { [what]: json() })
    },
    look: () => {
      const now = ticks()
      if (now < lookDue) return
      lookDue = now + lookMillis
      lookAtRefusals()
      for (const { leftOut, reason } of LogLimit.due(limit, now)) {
        lines.push({
          level: levels.get(reason) ?? "Info",
          message: `McCache: ${leftOut} more lines of this kind were left out: ${reason}`,
          details: { leftOut }
        })
      }
    },
    take: () => {
      if (lines.length === 0) return undefined
      const taken = lines.splice(0)
      return Effect.forEach(
        taken,
        ({ details, level, message }) =>
          Effect.logWithLevel(level)(message).pipe(
            Effect.annotateLogs({ member: options.self.slice(0, 8), ...details })
          ),
        { discard: true }
      )
    }
  }
}

/** An event in words; what is neither level nor message are annotations. */
const eventText = (
  event: ClusterEvent,
  of: MemberLabel.MemberLabel | undefined
): { readonly level: LogLevel.Severity; readonly message: string; readonly [name: string]: unknown } => {
  if (event.type === "clock") {
    const { correctionMillis } = event
    return correctionMillis === 0
      ? { level: "Info", message: "this host's clock agrees with the cluster's again", correctionMillis }
      : {
        level: "Warn",
        message: `this host's clock is ${-correctionMillis} ms off the cluster's median, which is used instead. ` +
          `Check its time synchronisation.`,
        correctionMillis
      }
  }
  const who = named(event.member, of)
  const peer = event.member.slice(0, 8)
  switch (event.type) {
    case "joined":
      return { level: "Info", message: `member ${who} joined`, peer }
    case "left":
      return { level: "Info", message: `member ${who} left`, peer }
    case "removed":
      return {
        level: "Warn",
        message:
          `member ${who} is removed: nothing was heard of it for too long (protocol.removeMillis). If it runs, ` +
          `look for a stalled event loop or a network that drops multicast.`,
        peer
      }
    case "suspected":
      return { level: "Info", message: `member ${who} has fallen silent`, peer }
    case "recovered":
      return { level: "Info", message: `member ${who} is heard again`, peer }
    case "ready":
      return { level: "Debug", message: "this member has caught up with the cluster, or nobody else is there" }
    case "lagging":
      return {
        level: "Warn",
        message: `member ${who} does not keep up with what is written here, and is waited for no longer: it repairs ` +
          `later. Give it processor time, a larger receive buffer, or write less.`,
        peer
      }
    case "incoherent":
      return {
        level: "Debug",
        message:
          `repaired ${event.records} records of namespace ${JSON.stringify(event.namespace)} that differed from ` +
          `member ${who}'s`,
        peer,
        namespace: event.namespace,
        records: event.records
      }
    case "lost":
      return {
        level: "Debug",
        message: `datagrams of member ${who} are lost for good: what they carried is repaired from it`,
        peer
      }
    case "conflict":
      return {
        level: "Error",
        message: `${event.detail}: they ignore each other's writes to it. Use the same mode, collision and eviction.`,
        peer,
        namespace: event.namespace
      }
    case "refused":
      return {
        level: "Warn",
        message: `member ${who} refuses this member's messages: ${JSON.stringify(event.detail)}`,
        peer
      }
  }
}

interface RefusalText {
  /** The level of the first line, and of those that follow: what may be normal is told once. */
  readonly first: LogLevel.Severity
  readonly again: LogLevel.Severity
  /** After `McCache refused 3 `. */
  readonly message: string
}

const always = (level: LogLevel.Severity, message: string): RefusalText => ({ first: level, again: level, message })

const refusalTexts: { readonly [Name in Refusal]: RefusalText } = {
  malformed: always(
    "Warn",
    "datagrams or messages that are none of this protocol: another program may use the group. Choose another port in " +
      "MCCACHE_MULTICAST_IP."
  ),
  unauthentic: always(
    "Warn",
    "datagrams that were damaged on their way, or made by somebody without the key: see where they come from."
  ),
  foreign: {
    first: "Info",
    again: "Debug",
    message: "datagrams of another cluster or key. If they are of this cluster, its members' MCCACHE_CLUSTER or " +
      "MCCACHE_CRYPTO_KEY differ."
  },
  unsealed: always(
    "Warn",
    "datagrams because only one side has a key: set the same MCCACHE_CRYPTO_KEY at every member, or at none."
  ),
  throttled: always(
    "Warn",
    "datagrams of unknown senders, of which there are more than protocol.derivationsPerSecondMax a second. Joins may take longer."
  ),
  replayed: always(
    "Debug",
    "datagrams that were received before, or are too late: the network repeats them, or somebody does."
  ),
  untrusted: always("Debug", "datagrams of senders that have not proved themselves."),
  clock: always(
    "Warn",
    "writes whose stamps are too far in the future. Check the time synchronisation of all hosts; `members` tells each clock's skew."
  ),
  options: always("Debug", "writes of members that have the namespace open with other options."),
  oversized: always("Warn", "values larger than this member holds: give all members the same MCCACHE_CACHE_SIZE."),
  reassembly: always(
    "Warn",
    "parts of large values for which there was no room: raise protocol.reassemblyBytesMax, or write fewer of them at once. They are repaired."
  ),
  window: always(
    "Warn",
    "datagrams because this process did not get to read them: its event loop is busy. They are repaired; look for what blocks it."
  )
}
