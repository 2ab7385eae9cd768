/**
 * The plan of one random run, derived from its seed: topology, options, workload and faults, as data. Data, because what
 * breaks an invariant can then be printed, replayed and made shorter.
 *
 * Swarm testing (Groce et al., "Swarm Testing", 2012): every run has most of its features switched off, each time others.
 * A run that does everything at once hides what only shows when something else does not happen.
 */
import type { Options } from "../../../src/domain/Configuration.ts"
import * as NetworkFaults from "../../../src/runtime/NetworkFaults.ts"
import type { JoinOptions } from "../../../src/runtime/testing/Cluster.ts"

export type Key = string | number

/** What happens in a run. An action of a member that is not alive does nothing: so any part of a plan is a plan. */
export type Action =
  | { readonly _tag: "Join"; readonly member: string; readonly facade: boolean; readonly options: JoinOptions }
  | { readonly _tag: "Kill" | "Leave" | "Pause" | "Resume" | "StartAnew" | "LoseSockets"; readonly member: string }
  | {
    readonly _tag: "Set"
    readonly member: string
    readonly key: Key
    readonly bytes: number
    readonly ttl?: number
    readonly ack?: "all" | "majority"
  }
  | { readonly _tag: "Burst"; readonly member: string; readonly keys: number; readonly count: number }
  | { readonly _tag: "Get" | "Delete"; readonly member: string; readonly key: Key }
  | {
    readonly _tag: "Fill"
    readonly member: string
    readonly key: Key
    readonly millis: number
    readonly ttl?: number
  }
  | { readonly _tag: "Clear" | "ClearAll" | "Flush"; readonly member: string }
  | { readonly _tag: "Skew"; readonly member: string; readonly millis: number }
  | { readonly _tag: "KillFiber"; readonly member: string; readonly fiber: number }
  /** A datagram that was sent before, so many ago, comes once more. */
  | { readonly _tag: "Replay"; readonly member: string; readonly ago: number }
  /** Everything that this member could hear lately (the last 4,096 datagrams) comes once more. */
  | { readonly _tag: "ReplayAll"; readonly member: string }
  | { readonly _tag: "Partition"; readonly groups: ReadonlyArray<ReadonlyArray<string>> }
  | { readonly _tag: "Block"; readonly from: string; readonly to: string }
  | { readonly _tag: "Heal" }
  | { readonly _tag: "Faults"; readonly faults: Partial<NetworkFaults.Faults> }

export interface Step {
  readonly atMillis: number
  readonly action: Action
}

export interface Plan {
  readonly seed: number
  readonly mode: 0 | 1 | 2
  readonly options: Options
  readonly heartbeatMillis: number
  /** The safety phase. */
  readonly millis: number
  readonly steps: ReadonlyArray<Step>
  /** All members have the same sizes. */
  readonly alike: boolean
  /** There is room for everything, and nothing ages: in the end all that a survivor received is there. */
  readonly roomy: boolean
  /** Everyone always reaches everyone, if not at the first attempt. */
  readonly connected: boolean
  /** Nothing is lost but a datagram in ten: what is lost is always had by asking for it. */
  readonly gentle: boolean
  /** All clocks agree. */
  readonly agreeing: boolean
  /** Some clock jumps. */
  readonly jumping: boolean
  /** Who begins to take from another clears the namespace while copies are under way. */
  readonly clearsInTakes: boolean
  /** Who hears of a change writes in turn. */
  readonly listens: boolean
  /** Ends with a check that members at rest are quiet and keep nothing. */
  readonly rests: boolean
}

const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/** What may be given instead of left to chance: the mode, the safety phase's length in virtual time; or two or three members
 * only, and few steps. */
export interface Given {
  readonly mode?: 0 | 1 | 2
  readonly millis?: number
  readonly small?: boolean
}

/** Derives the plan of a seed. */
export const make = (seed: number, given: Given = {}): Plan => {
  const random = NetworkFaults.mulberry32(seed * 2_654_435_761)
  const below = (bound: number): number => Math.floor(random() * bound)
  const between = (low: number, high: number): number => low + below(high - low + 1)
  const chance = (share: number): boolean => random() < share
  const pick = <A>(list: ReadonlyArray<A>): A => list[below(list.length)]

  const mode = given.mode ?? pick([1, 1, 1, 1, 1, 1, 0, 2])
  const small = given.small === true
  const size = small ? between(2, 3) : pick([2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 5, between(4, 6), between(7, 12)])
  // Short protocol times let seconds show what otherwise takes minutes: members that outlast a partition, and that do not.
  const hasty = chance(0.6)
  const pauseMillis = pick(small ? [20, 20, 60] : [2, 5, 20, 20, 60, 150])
  const length = small ? 30 : pick(size > 5 ? [40, 80] : [30, 60, 60, 120, 120, 300]) * (chance(0.03) ? 4 : 1)
  const millis = given.millis ?? 1_000 + length * pauseMillis
  const heartbeatMillis = hasty ? 250 : 1_000
  const removeMillis = hasty ? 3_750 : 15_000
  // In modes 0 and 2 nothing outlasts clocks that are further apart than `abandonMillis`, 10 s or, in haste, 2.5 s.
  const jumpMillis = hasty && mode !== 1 ? 1_200 : 5_000
  const keys = pick([1, 2, 5, 20, 60])
  const features = {
    sealed: chance(0.35),
    lossy: chance(0.7),
    bursty: chance(0.3),
    duplicating: chance(0.4),
    reordering: chance(0.5),
    corrupting: chance(0.2),
    partitions: chance(0.4),
    blocks: chance(0.25),
    shrinkingMtu: chance(0.1),
    pauses: chance(0.3),
    kills: chance(0.35),
    leaves: chance(0.2),
    storms: chance(0.1),
    skewed: chance(0.4),
    jumps: chance(0.15),
    drift: chance(0.15),
    smallBuffers: chance(0.15),
    fiberDeaths: chance(0.2),
    socketDeaths: chance(0.1),
    replays: chance(0.5),
    startsAnew: chance(0.12),
    small: chance(0.35),
    fewTombstones: chance(0.2),
    shortHorizon: chance(0.2),
    differing: chance(0.12),
    large: chance(0.3),
    huge: chance(0.05),
    bursts: chance(0.3),
    expiring: chance(0.5),
    clears: chance(0.3),
    fills: chance(0.4),
    flushes: chance(0.6),
    acks: chance(0.2),
    often: chance(0.2),
    idle: chance(0.4)
  }
  let lossMax = features.lossy ? 0.5 * random() : 0
  // Nothing but a little loss: what is had by asking for it then is not to be given up.
  if (chance(0.1)) {
    for (
      const feature of [
        "bursty",
        "corrupting",
        "partitions",
        "blocks",
        "shrinkingMtu",
        "pauses",
        "kills",
        "leaves",
        "storms",
        "skewed",
        "jumps",
        "drift",
        "smallBuffers",
        "fiberDeaths",
        "socketDeaths",
        "startsAnew",
        "small",
        "fewTombstones",
        "shortHorizon",
        "huge"
      ] as const
    ) features[feature] = false
    features.lossy = true
    lossMax = 0.02 + 0.08 * random()
  }
  // What rarely meets by chance: tombstones that go while somebody is cut off, and fills under clocks that are apart.
  const forgetful = features.shortHorizon || features.fewTombstones
  if (forgetful) features.partitions = features.partitions || chance(0.6)
  const seance = features.sealed && features.replays && size > 1 && chance(0.3)
  if (seance) features.kills = true
  if (features.shortHorizon) features.idle = true
  if (small) features.idle = features.partitions = false
  if (mode === 2) {
    features.fills = features.fills || chance(0.6)
    features.skewed = features.skewed || chance(0.6)
  }
  const cacheMax = features.small ? between(2, 40) : 4_096
  const options: Options = {
    cacheMode: mode,
    cacheMax,
    cacheTtl: features.expiring && chance(0.5) ? between(1, 30) : 0,
    cacheCollision: chance(0.6) ? "tie" : "latest",
    packetMtu: pick([508, 1_232, 1_472, 1_472]),
    ...(features.often ? { cachePulse: between(3, 15) } : {}),
    ...(features.sealed ? { cryptoKey: key } : {}),
    protocol: {
      ...(hasty
        ? {
          heartbeatMillis,
          suspectMillis: 1_250,
          removeMillis,
          abandonMillis: 2_500,
          nackIntervalMillisMax: 250,
          reassemblyIdleMillis: 4_000,
          challengeIntervalMillis: 250
        }
        : {}),
      ...(features.fewTombstones ? { tombstonesMax: between(1, 50) } : {}),
      ...(features.shortHorizon ? { tombstoneHorizonMillis: (hasty ? 4 : 11) * 1_000 } : {}),
      ...(features.huge ? { retainBytesMax: 1_048_576 } : {})
    }
  }
  const alike = !features.differing || mode !== 1
  const steps: Array<Step> = []
  const alive: Array<string> = []
  const paused = new Set<string>()
  let joined = 0
  let now = 0
  const add = (action: Action): void => void steps.push({ atMillis: now, action })

  const join = (): void => {
    const member = `m${++joined}`
    alive.push(member)
    add({
      _tag: "Join",
      member,
      facade: chance(0.5),
      options: {
        ...(features.skewed ? { skewMillis: between(-400, 400) } : {}),
        ...(features.smallBuffers && chance(0.5) ? { receiveBufferBytes: pick([8_192, 32_768, 131_072]) } : {}),
        ...(features.differing ? { cacheMax: between(2, 60), cacheTtl: between(0, 20) } : {}),
        ...(features.differing ? { packetMtu: pick([508, 1_232, 1_472]) } : {})
      }
    })
  }
  const end = (_tag: "Kill" | "Leave", member: string): void => {
    alive.splice(alive.indexOf(member), 1)
    paused.delete(member)
    add({ _tag, member })
  }
  const randomKey = (): Key => {
    const number = Math.min(below(keys), below(keys))
    return number % 7 === 3 ? number : `k${number}`
  }
  const faults = (): Partial<NetworkFaults.Faults> => {
    const loss = lossMax * random()
    return {
      loss,
      lossBurstDatagrams: features.bursty && loss > 0 && loss < 0.4 ? between(2, 6) : 1,
      duplication: features.duplicating ? 0.3 * random() : 0,
      corruption: features.corrupting ? 0.03 * random() : 0,
      delay: { minMillis: 0.5, maxMillis: features.reordering ? between(1, 60) : 1 },
      ...(features.shrinkingMtu && chance(0.3) ? { datagramBytesMax: between(100, 1_400) } : {})
    }
  }

  const work = (): void => {
    const member = pick(alive)
    const dice = random()
    const ttl = features.expiring && chance(0.3) ? { ttl: pick([0.05, 0.3, 1, 3]) } : {}
    const ack = features.acks && chance(0.2) ? { ack: pick(["all", "majority"] as const) } : {}
    const bytes = features.huge && chance(0.03)
      ? between(100_000, 400_000)
      : features.large && chance(0.15)
      ? between(1_000, 20_000)
      : below(60)
    if (dice < (forgetful ? 0.35 : 0.5)) add({ _tag: "Set", member, key: randomKey(), bytes, ...ttl, ...ack })
    else if (dice < 0.65) add({ _tag: "Delete", member, key: randomKey() })
    else if (dice < 0.75) add({ _tag: "Get", member, key: randomKey() })
    else if (dice < 0.85) {
      if (features.fills) {
        // Several at once for one key: at one member they share a computation, at several they race.
        const key = randomKey()
        for (let count = between(1, 3); count > 0; count--) {
          add({ _tag: "Fill", member: pick(alive), key, millis: pick([0, 5, 100, 1_500]), ...ttl })
        }
      } else add({ _tag: "Set", member, key: randomKey(), bytes, ...ttl })
    } else if (dice < 0.86) {
      if (features.clears) add({ _tag: chance(0.7) ? "Clear" : "ClearAll", member })
    } else if (dice < 0.9) {
      if (features.flushes) add({ _tag: "Flush", member })
    } else if (dice < 0.91) {
      if (features.bursts) {
        add({ _tag: "Burst", member, keys: keys * 4, count: chance(0.1) ? between(200, 800) : between(20, 120) })
      }
    } else {
      // Two members in one millisecond: collisions are otherwise rare.
      const key = randomKey()
      add({ _tag: "Set", member, key, bytes })
      add({ _tag: chance(0.8) ? "Set" : "Delete", member: pick(alive), key, bytes })
    }
  }

  const fate = (): void => {
    const dice = random()
    const member = pick(alive)
    if (dice < 0.1) {
      if (features.kills && alive.length > 1) end("Kill", member)
    } else if (dice < 0.15) {
      if (features.leaves && alive.length > 1 && !paused.has(member)) end("Leave", member)
    } else if (dice < 0.35) {
      if (alive.length < size || (!small && chance(0.1) && alive.length < 12)) {
        join()
        clearSoon(chance(0.5) ? `m${joined}` : pick(alive), 120)
      }
    } else if (dice < 0.38) {
      if (features.storms) {
        for (let count = between(2, 5); count > 0 && alive.length > 1; count--) {
          end(chance(0.7) ? "Kill" : "Leave", pick(alive))
          join()
        }
      }
    } else if (dice < 0.46) {
      if (features.partitions && forgetful && alive.length > 1 && alive.length < 12 && chance(0.5)) exile()
      else if (features.partitions && alive.length > 1) {
        const cut = between(1, alive.length - 1)
        const shuffled = alive.map((name) => ({ name, at: random() })).sort((a, b) => a.at - b.at)
        const names = shuffled.map(({ name }) => name)
        add({ _tag: "Partition", groups: [names.slice(0, cut), names.slice(cut)] })
      }
    } else if (dice < 0.52) {
      if (features.blocks) add({ _tag: "Block", from: member, to: pick(alive) })
    } else if (dice < 0.62) {
      add({ _tag: "Heal" })
      clearSoon(pick(alive), 800)
    } else if (dice < 0.7) {
      if (features.pauses) {
        if (paused.has(member)) {
          paused.delete(member)
          add({ _tag: "Resume", member })
        } else {
          paused.add(member)
          add({ _tag: "Pause", member })
        }
      }
    } else if (dice < 0.76) {
      if (features.jumps && chance(0.5)) add({ _tag: "Skew", member, millis: between(-jumpMillis, jumpMillis) })
      else if (features.drift) add({ _tag: "Skew", member, millis: between(-120, 120) })
    } else if (dice < 0.84) {
      if (features.fiberDeaths) add({ _tag: "KillFiber", member, fiber: below(8) })
    } else if (dice < 0.87) {
      if (features.socketDeaths) add({ _tag: "LoseSockets", member })
    } else if (dice < 0.9) {
      if (features.startsAnew) add({ _tag: "StartAnew", member })
    } else if (dice < 0.96) add({ _tag: "Faults", faults: faults() })
    else if (features.replays && features.sealed) {
      if (chance(0.3)) add({ _tag: "ReplayAll", member })
      else {for (let count = between(1, 40); count > 0; count--) {
          add({ _tag: "Replay", member: pick(alive), ago: below(chance(0.5) ? 50 : 4_000) })
        }}
    }
  }

  /** A clear while a transfer is under way: once, as nothing is left to transfer after it. */
  const clearSoon = (member: string, millis: number): void => {
    if (!features.clears || chance(0.3)) return
    steps.push({ atMillis: now + below(millis), action: { _tag: "Clear", member } })
  }
  /** One is cut off while others delete what it holds, forget that they did, and tell a newcomer what they know. */
  const exile = (): void => {
    for (let count = between(5, 30); count > 0; count--, now += below(5)) {
      add({ _tag: "Set", member: pick(alive), key: randomKey(), bytes: below(60) })
    }
    now += 300
    const exiled = pick(alive)
    const others = alive.filter((name) => name !== exiled)
    add({ _tag: "Partition", groups: [[exiled], [...others, `m${joined + 1}`]] })
    for (let count = between(5, 40); count > 0; count--, now += 1 + below(pauseMillis)) {
      add({ _tag: "Delete", member: pick(others), key: randomKey() })
    }
    // Mostly until it is removed: else it hears what it missed when it is back.
    now += chance(0.2) ? below(removeMillis) : between(removeMillis + 500, removeMillis + 4_000)
    join()
    now += between(100, 1_500)
    add({ _tag: "Heal" })
  }

  add({ _tag: "Faults", faults: chance(0.7) ? faults() : { delay: { minMillis: 0.5, maxMillis: 1 } } })
  const late = chance(0.5) ? below(size) : 0
  for (let index = 0; index < size - late; index++) {
    join()
    if (chance(0.3)) now += below(500)
  }
  // Time in which nothing is written: members are removed, gaps given up, tombstones grow old.
  let idleMillis = 0
  let exiles = false
  for (now += chance(0.5) ? 0 : 500; now < millis + idleMillis; now += 1 + below(2 * pauseMillis)) {
    work()
    if (!exiles && forgetful && features.partitions && alive.length > 1 && now > millis / 2) {
      exiles = true
      exile()
    }
    if (features.idle && idleMillis < 60_000 && chance(0.04)) {
      const pause = between(500, hasty ? 6_000 : 18_000)
      idleMillis += pause
      now += pause
    }
    if (chance(Math.min(0.4, 0.05 + pauseMillis / 300))) fate()
  }
  // Who is dead says again all that it ever said.
  if (seance && alive.length > 1) {
    end("Kill", pick(alive))
    now += removeMillis + between(1_000, 3_000)
    add({ _tag: "ReplayAll", member: pick(alive) })
    now += 500
  }
  const connected = !features.partitions && !features.blocks && !features.pauses && !features.shrinkingMtu &&
    !features.kills && !features.storms && !features.socketDeaths && !features.jumps && !features.smallBuffers &&
    !features.leaves && !features.fiberDeaths && lossMax < 0.2
  const agreeing = !features.skewed && !features.jumps && !features.drift
  return {
    seed,
    mode,
    options,
    heartbeatMillis,
    millis: Math.max(millis + idleMillis, now),
    steps: steps.sort((one, other) => one.atMillis - other.atMillis),
    alike,
    roomy: mode === 1 && !features.small && !features.differing && !features.fewTombstones && !features.shortHorizon &&
      !features.huge,
    connected,
    // Where there is room for few keys, an outbox overflows, and all is repaired.
    gentle: connected && agreeing && lossMax < 0.1 && !features.bursty && !features.huge && !features.startsAnew &&
      !features.small && !features.fewTombstones,
    agreeing,
    jumping: features.jumps,
    rests: !features.often && chance(0.3),
    clearsInTakes: features.clears && chance(0.5),
    listens: chance(0.3)
  }
}

/** One line, for people. */
export const show = ({ action, atMillis }: Step): string => {
  const { _tag, ...rest } = action
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `${(atMillis / 1_000).toFixed(3).padStart(8)} s  ${_tag}${fields.length === 0 ? "" : ` ${fields.join(" ")}`}`
}
