/**
 * The timings and bounds of the protocol (sections 7 and 8 of the design), as one table: default, bounds, and what
 * moving one does. The defaults suit a LAN and a host; they are options (`protocol: { … }`) so that a program can adapt
 * them to its network, and tests can make time short.
 *
 * Some depend on each other. `relations` states how, and an override that breaks one is refused with both names,
 * because a cluster whose members suspect each other between two heartbeats fails in ways that point elsewhere.
 *
 * @since 0.1.0
 */
import * as Record from "effect/Record"
import * as Thousands from "./Thousands.ts"

/** One row of the table. Names end in their unit; bounds are inclusive; all are whole numbers. */
export interface Limit {
  readonly default: number
  readonly minimum: number
  readonly maximum: number
  /** What it is, and the consequence of moving it. */
  readonly description: string
}

const limit = (
  [initial, minimum, maximum]: readonly [number, number, number],
  description: string
): Limit => ({ default: initial, minimum, maximum, description })

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const mebibyte = 1_048_576

/**
 * Entries, and tombstones, of a namespace. A `Map` of V8's has places for 2^24 keys, of which those of deleted ones are used again
 * only when they are half of all: more than 2^23 keys that come and go do not fit.
 */
export const recordsMax = 8_000_000

/** Every timing and bound, by name. */
export const limits = {
  // Members
  heartbeatMillis: limit(
    [second, 50, minute],
    "A member announces itself this often when it sends nothing else. Lower finds failures and differences " +
      "sooner, at more idle traffic."
  ),
  suspectMillis: limit(
    [5 * second, 100, 10 * minute],
    "A member not heard for this long is suspect. Lower reacts sooner and is wrong more often on a loaded host."
  ),
  removeMillis: limit(
    [15 * second, 200, hour],
    "A member not heard for this long is removed, and comes back as a new one. Lower frees what is kept for it " +
      "sooner; higher rides out longer pauses."
  ),
  stallMillis: limit(
    [500, 50, minute],
    "When the Housekeeper itself was late by more than this, its lateness is not held against the others. Higher " +
      "blames others for this process's own pauses."
  ),
  // Sessions
  challengeIntervalMillis: limit(
    [second, 10, minute],
    "An unknown sender is challenged at most this often, after a few times in quick succession (joinIntervalMillis, " +
      "doubling). Lower trusts sooner when all of these are lost and answers forged datagrams more."
  ),
  parkedDatagramsMax: limit(
    [64, 0, 4_096],
    "Datagrams of a sender not yet trusted that wait, per sender. More loses fewer at a start and costs memory " +
      "under a flood."
  ),
  parkedMillis: limit(
    [second, 10, minute],
    "How long those wait."
  ),
  sessionsMax: limit(
    [1_024, 2, 65_536],
    "Senders known at once. Must exceed the size of the cluster; more costs memory under a flood."
  ),
  derivationsPerSecondMax: limit(
    [200, 1, 100_000],
    "Keys derived a second for unknown senders. More joins faster under a flood, at more processor time."
  ),
  // Loss
  nackDelayMillisMin: limit(
    [1, 0, second],
    "A gap is left this long, at least, for datagrams that are only out of order. Lower repairs sooner and asks " +
      "in vain more often."
  ),
  nackDelayMillisMax: limit(
    [10, 0, second],
    "The same at most: the delay is random, so that the receivers of one loss do not all ask at once."
  ),
  nackIntervalMillis: limit(
    [20, 1, 10 * second],
    "What is still missing is asked for again after this, doubling."
  ),
  nackIntervalMillisMax: limit(
    [second, 1, minute],
    "The longest time between two such questions."
  ),
  abandonMillis: limit(
    [10 * second, 100, 10 * minute],
    "What is missing for this long is left to repair. Higher holds up acknowledgements longer; lower repairs " +
      "whole buckets for what a resend would have brought."
  ),
  resendIntervalMillis: limit(
    [10, 1, second],
    "The same datagram is sent again at most this often."
  ),
  tailPulseMillis: limit(
    [20, 1, 10 * second],
    "After the last data its number is announced this soon, then doubling up to the heartbeat. Lower finds a lost " +
      "last datagram sooner, at more small datagrams."
  ),
  retainBytesMax: limit(
    [64 * mebibyte, mebibyte, 4_096 * mebibyte],
    "Bytes sent that are kept for resending. Less saves memory and turns more losses into repairs."
  ),
  // Acknowledgement and flow
  ackEveryMax: limit(
    [64, 1, 1_024],
    "Datagrams after which one is acknowledged, at most; as many as there are members if that is more, a quarter of the " +
      "credit if that is less. Fewer opens the sender's window sooner, at more traffic."
  ),
  ackDelayMillis: limit(
    [5, 1, second],
    "Data is acknowledged after this when fewer arrived, or at once if nothing was for so long."
  ),
  acksPerSecondMax: limit(
    [10_000, 100, 1_000_000],
    "Acknowledgements a second that one sender gets of all members together, about. Where the members are more than " +
      "`ackDelayMillis` of this, each acknowledges later, by chance, up to `laggardMillis` / 2. Higher opens the window of a large " +
      "cluster's sender, and passes its waits, sooner, at more work for it."
  ),
  laggardMillis: limit(
    [500, 10, minute],
    "A receiver that says nothing for this long, or four round trips if longer, while something is unacknowledged " +
      "no longer slows the sender. Lower isolates stalls sooner, and repairs more."
  ),
  windowInitial: limit(
    [16, 1, 4_096],
    "Datagrams under way before the first acknowledgement."
  ),
  windowMin: limit(
    [4, 1, 1_024],
    "Datagrams under way that no loss pushes below, where the receiver's credit allows."
  ),
  yieldDatagrams: limit(
    [32, 1, 1_024],
    "Datagrams sent before others get a turn. More is faster in bulk, and delays reads on the same loop."
  ),
  receiveBufferBytes: limit(
    [4 * mebibyte, 65_536, 1_024 * mebibyte],
    "The socket receive buffer that is asked for; the credit follows what the system really grants."
  ),
  reassemblyBytesMax: limit(
    [64 * mebibyte, mebibyte, 2 ** 41],
    "Bytes of incomplete records kept per sender. Default: 64 MiB, or twice `cacheSize` when that is more. Must " +
      "exceed the `size` of every namespace."
  ),
  reassemblyIdleMillis: limit(
    [15 * second, 100, 10 * minute],
    "An incomplete record to which nothing was added for this long is dropped."
  ),
  // Join and repair
  joinWaitMillis: limit(
    [300, 10, minute],
    "A joiner that hears nobody for this long takes itself to be alone. Lower starts sooner and may miss a slow " +
      "cluster, which then is found by heartbeats."
  ),
  joinIntervalMillis: limit(
    [50, 5, minute],
    "A joiner announces itself this often meanwhile."
  ),
  welcomeMembersMax: limit(
    [3, 1, 64],
    "Members that welcome one joiner, at most."
  ),
  welcomeDelayMillis: limit(
    [10, 0, second],
    "They answer after a random time up to this, so that not all do."
  ),
  repairDelayMillisMax: limit(
    [500, 0, minute],
    "A member that found a difference waits a random time up to this, so that one repair serves many."
  ),
  repairTimeoutMillis: limit(
    [5 * second, 100, 10 * minute],
    "A repair that brought nothing for this long is given up, and tried again or with another."
  ),
  tombstoneHorizonMillis: limit(
    [hour, 4 * second, 30 * 24 * hour],
    "A delete is remembered for this long. It should exceed the longest partition: what only one side wrote at " +
      "the start of a longer one is forgotten."
  ),
  tombstonesMax: limit(
    [0, 0, recordsMax],
    "Deletes remembered per namespace. 0, the default: 65,536, or 16 × its `max` when that is more. Less saves " +
      "memory and forgets events that arrive late."
  ),
  // Clock
  clockKeepMillis: limit(
    [125, 1, minute],
    "A member this near to the others' clocks keeps its own."
  ),
  outboxAheadMillisMax: limit(
    [250, 1, minute],
    "A write whose stamp runs further ahead of the clock than this waits before it is sent."
  ),
  clockAheadMillisMax: limit(
    [500, 1, 10 * minute],
    "A stamp further ahead than this is refused. Default: 2 × `clockKeepMillis` + `outboxAheadMillisMax`; less " +
      "would refuse members that rightly keep their own clocks."
  ),
  // Waiting
  ackTimeoutMillis: limit(
    [5 * second, 1, hour],
    "`flush`, and `set` with `ack`, wait this long by default."
  ),
  gatherTimeoutMillis: limit(
    [2 * second, 1, 10 * minute],
    "`clusterMetrics` and `clusterChecksum` wait this long for answers; who did not answer is named."
  ),
  closeTimeoutMillis: limit(
    [2 * second, 0, 10 * minute],
    "`close` sends what is still queued for at most this long."
  )
} as const satisfies { readonly [name: string]: Limit }

/** The protocol as it runs: every limit resolved, but for `tombstonesMax`, which is resolved for each namespace. */
export type Protocol = { readonly [Name in keyof typeof limits]: number }

/** What a program may override. */
export type ProtocolOptions = Partial<Protocol>

type Name = keyof typeof limits

/** `[lesser, "<" | "≤", greater]`: what must hold between two of them. */
export const relations: ReadonlyArray<readonly [Name, "<" | "≤", Name]> = [
  ["heartbeatMillis", "<", "suspectMillis"],
  ["suspectMillis", "<", "removeMillis"],
  ["nackDelayMillisMin", "≤", "nackDelayMillisMax"],
  ["nackDelayMillisMax", "<", "abandonMillis"],
  ["resendIntervalMillis", "≤", "nackIntervalMillis"],
  ["nackIntervalMillis", "≤", "nackIntervalMillisMax"],
  ["nackIntervalMillisMax", "<", "abandonMillis"],
  ["abandonMillis", "<", "tombstoneHorizonMillis"],
  ["tailPulseMillis", "≤", "heartbeatMillis"],
  ["ackDelayMillis", "<", "laggardMillis"],
  ["windowMin", "≤", "windowInitial"],
  ["joinIntervalMillis", "<", "joinWaitMillis"],
  ["welcomeDelayMillis", "<", "joinWaitMillis"]
]

/** The least that `clockAheadMillisMax` may be: two members that each keep their clock must not refuse each other. */
const clockAheadMillisMin = (protocol: Protocol): number => 2 * protocol.clockKeepMillis + protocol.outboxAheadMillisMax

/** Whether a name is one of the table. */
export const isName = (name: string): name is Name => Object.hasOwn(limits, name)

/** What a program that overrides nothing gets, under the overrides. Says nothing about bounds and relations. */
export const make = (overrides: ProtocolOptions = {}, cacheSizeBytes = 0): Protocol => {
  const protocol: Protocol = Record.map(limits, (row, name) => overrides[name] ?? row.default)
  return {
    ...protocol,
    reassemblyBytesMax: overrides.reassemblyBytesMax ?? Math.max(protocol.reassemblyBytesMax, 2 * cacheSizeBytes),
    clockAheadMillisMax: overrides.clockAheadMillisMax ?? clockAheadMillisMin(protocol)
  }
}

/** What an overridden value must be. */
export const accepted = (name: Name): string =>
  `a whole number from ${Thousands.separated(limits[name].minimum)} to ${Thousands.separated(limits[name].maximum)}`

/** Whether a value is within the bounds of its row. */
export const isWithin = (name: Name, value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= limits[name].minimum && value <= limits[name].maximum

/** The relations that a protocol breaks, each naming both sides with their values. */
export const problems = (protocol: Protocol): ReadonlyArray<string> => {
  const show = (name: Name) => `protocol.${name} (${Thousands.separated(protocol[name])})`
  const found: Array<string> = []
  for (const [lesser, relation, greater] of relations) {
    const holds = relation === "<" ? protocol[lesser] < protocol[greater] : protocol[lesser] <= protocol[greater]
    if (!holds) {
      found.push(`${show(lesser)} must be ${relation === "<" ? "less than" : "at most"} ${show(greater)}`)
    }
  }
  if (protocol.reassemblyIdleMillis <= protocol.abandonMillis + 2 * protocol.nackIntervalMillisMax) {
    found.push(
      `${show("reassemblyIdleMillis")} must exceed ${show("abandonMillis")} + 2 × ${
        show("nackIntervalMillisMax")
      }: a part ` +
        "that is still asked for must find the others"
    )
  }
  if (protocol.clockAheadMillisMax < clockAheadMillisMin(protocol)) {
    found.push(
      `${show("clockAheadMillisMax")} must be at least 2 × ${show("clockKeepMillis")} + ${show("outboxAheadMillisMax")}`
    )
  }
  return found
}

/**
 * Over how long, in milliseconds, the receivers of one sender spread acknowledgements that all of them owe at once: so long
 * that, as each waits for half of it and `ackDelayMillis` on average, they send `acksPerSecondMax` a second together. 0 while
 * `ackDelayMillis` suffices for that. Never so long that one that waits is taken for a laggard.
 */
export const ackSpreadMillis = (protocol: Protocol, receivers: number): number => {
  const periodMillis = receivers * 1_000 / protocol.acksPerSecondMax
  return Math.min(2 * Math.max(0, periodMillis - protocol.ackDelayMillis), protocol.laggardMillis / 2)
}

/**
 * How many datagrams one acknowledgement is for. Of more receivers than `ackEveryMax` as many as there are, so that the sender
 * gets no more acknowledgements than it sends datagrams, as far as the credit allows that.
 */
export const ackEveryDatagrams = (protocol: Protocol, receivers: number, credit: number): number =>
  Math.max(1, Math.min(Math.max(protocol.ackEveryMax, receivers), credit >> 2))

/** The tombstones that a namespace of so many entries may keep. */
export const tombstonesMax = (protocol: Protocol, cacheMax: number): number =>
  protocol.tombstonesMax === 0
    ? Math.min(Math.max(65_536, 16 * cacheMax), recordsMax)
    : protocol.tombstonesMax
