/**
 * The searcher of the model: makes a run from a seed, performs it, and shrinks one that breaks an invariant to a list of
 * actions of which none can be left out. Each run draws what can happen in it at all, so that rare things also meet.
 */
import type * as Replica from "../../../src/domain/Replica.ts"
import { mulberry32 } from "../../../src/runtime/NetworkFaults.ts"
import { type Action, type Setup, World } from "./ModelWorld.ts"

export interface Run {
  readonly setup: Setup
  readonly actions: ReadonlyArray<Action>
  /** What broke at the last action, if anything. */
  readonly wrong: string | undefined
}

/** Performs a list of actions, up to the first that breaks something. */
export const replay = (setup: Setup, actions: ReadonlyArray<Action>): Run => {
  const world = new World(setup, {})
  for (const [index, action] of actions.entries()) {
    const wrong = attempt(world, action)
    if (wrong !== undefined) return { setup, actions: actions.slice(0, index + 1), wrong }
  }
  return { setup, actions, wrong: undefined }
}

/** An invariant that the product checks itself counts as broken when it throws. */
const attempt = (world: World, action: Action): string | undefined => {
  try {
    return world.perform(action)
  } catch (error) {
    return `thrown: ${error instanceof Error ? error.message : String(error)}`
  }
}

interface Dice {
  readonly random: () => number
  readonly below: (bound: number) => number
  readonly chance: (share: number) => boolean
}

const diceOf = (seed: number): Dice => {
  const random = mulberry32(seed)
  return { random, below: (bound) => Math.floor(random() * bound), chance: (share) => random() < share }
}

const setupOf = ({ below, chance }: Dice, mode: Replica.Mode): Setup => {
  const members = 2 + below(3)
  const keys = 2 + below(3)
  const sizes = (): Pick<Replica.Options, "cacheMax" | "cacheSizeBytes"> => ({
    cacheMax: chance(0.5) ? 1_000 : 1 + below(keys),
    // Room for one to three small values; or for no large one at all.
    cacheSizeBytes: chance(0.8) ? 1_000_000 : 10 + below(50)
  })
  const common: Replica.Options = {
    mode,
    collision: chance(0.7) ? "tie" : "latest",
    eviction: mode === 1 || chance(0.3) ? "updated" : "used",
    ...sizes(),
    tombstoneHorizonMillis: chance(0.4) ? 3_600_000 : 1_000 + below(9_000),
    tombstonesMax: chance(0.5) ? 1_000 : 1 + below(3)
  }
  const [mixed, horizons] = [chance(0.2), chance(0.1)]
  const off = chance(0.5) ? 0 : chance(0.8) ? 125 : 400
  return {
    mode,
    keys,
    options: Array.from({ length: members }, () => ({
      ...common,
      ...(mixed ? sizes() : {}),
      ...(horizons ? { tombstoneHorizonMillis: 1_000 + below(9_000) } : {})
    })),
    skews: Array.from({ length: members }, () => off === 0 ? 0 : below(2 * off + 1) - off)
  }
}

/** What can happen in a run, and how often. */
type Weights = ReadonlyArray<readonly [weight: number, make: (world: World, id: number) => ReadonlyArray<Action>]>

const weightsOf = ({ below, chance, random }: Dice, setup: Setup): Weights => {
  const { keys, mode, options } = setup
  const at = (): number => below(options.length)
  const loss = random() * 0.7
  const sendsAtOnce = chance(0.7)
  const longest = chance(0.5) ? 300 : chance(0.5) ? 4_000 : 20_000
  const some = (share: number, weight: number): number => chance(share) ? weight * random() : 0
  const ttlOf = (): number => ttls && chance(0.4) ? 1 + below(3_000) : 0
  const large = chance(0.2)
  const ttls = chance(0.5)
  const isLarge = (): boolean => large && chance(0.3)

  /** Most of what is written is sent at once, and arrives soon where it is not lost. */
  const spread = (member: number, id: number): ReadonlyArray<Action> => {
    if (!sendsAtOnce || chance(0.1)) return []
    const actions: Array<Action> = [{ do: "send", at: member, id }]
    for (let to = 0; to < options.length; to++) {
      if (to !== member && !chance(loss)) actions.push({ do: "deliver", id, to })
    }
    return actions
  }
  const anyOf = (map: ReadonlyMap<number, unknown>): number | undefined => {
    if (map.size === 0) return undefined
    let place = below(map.size)
    for (const id of map.keys()) if (place-- === 0) return id
    return undefined
  }
  const withAny = (map: ReadonlyMap<number, unknown>, make: (id: number) => Action): ReadonlyArray<Action> => {
    const id = anyOf(map)
    return id === undefined ? [] : [make(id)]
  }

  return [
    [18, (_, id) => {
      const member = at()
      return [{ do: "set", at: member, key: below(keys), ttl: ttlOf(), large: isLarge() }, ...spread(member, id)]
    }],
    [9 * random(), (_, id) => {
      const member = at()
      return [{ do: "delete", at: member, key: below(keys) }, ...spread(member, id)]
    }],
    [some(0.4, 3), (_, id) => {
      const member = at()
      return [{ do: "clear", at: member }, ...spread(member, id)]
    }],
    [sendsAtOnce ? 3 : 14, (_, id) => [{ do: "send", at: at(), id }]],
    [15, (world) => withAny(world.sent, (id) => ({ do: "deliver", id, to: at() }))],
    [some(0.6, 10), (_, id) => [{ do: "begin fill", at: at(), key: below(keys), id }]],
    [8, (world, id) => {
      const fill = anyOf(world.fills)
      if (fill === undefined) return []
      const member = world.members.indexOf(world.fills.get(fill)?.member ?? world.members[0])
      return [{ do: "end fill", id: fill, ttl: ttlOf(), large: isLarge() }, ...spread(Math.max(0, member), id)]
    }],
    [mode === 2 ? 0 : some(0.8, 12), (_, id) => [{ do: "take", at: at(), from: at(), id }]],
    [mode === 2 ? 0 : 30, (world) => withAny(world.takes, (id) => ({ do: "proceed", id, pick: below(12) }))],
    [some(0.3, 2), (world) => withAny(world.takes, (id) => ({ do: "abandon", id }))],
    [10, () => [{ do: "wait", millis: chance(0.3) ? 1 + below(longest) : chance(0.5) ? 1 : below(100) }]],
    [mode === 1 ? 0 : 4, () => [{ do: "read", at: at(), key: below(keys) }]],
    [3, () => [{ do: "sweep", at: at() }]],
    [some(0.3, 3), () => [{ do: "clock", at: at(), skew: below(chance(0.2) ? 6_001 : 801) - (chance(0.5) ? 400 : 0) }]],
    [some(0.25, 3), () => [{ do: "reset", at: at() }]],
    [some(0.25, 3), () => [{ do: "replace", at: at() }]],
    [some(0.3, 3), () => [{ do: "restart", at: at() }]],
    [some(0.1, 2), () => [{ do: "overflow", at: at() }]],
    [mode === 2 ? some(0.5, 4) : 0, () => [{ do: "drop", at: at() }]]
  ]
}

/** The run of a seed. */
export const search = (seed: number, mode: Replica.Mode, counts: Record<string, number> = {}): Run => {
  const dice = diceOf(seed)
  const setup = setupOf(dice, mode)
  const weights = weightsOf(dice, setup)
  const total = weights.reduce((sum, [weight]) => sum + weight, 0)
  const world = new World(setup, counts)
  count(counts, setup)
  const actions: Array<Action> = []
  const steps = 10 + dice.below(dice.chance(0.5) ? 40 : 100)
  const perform = (action: Action): string | undefined => {
    actions.push(action)
    return attempt(world, action)
  }
  for (let step = 1; step <= steps; step++) {
    let place = dice.random() * total
    for (const [weight, make] of weights) {
      place -= weight
      if (place > 0) continue
      for (const action of make(world, step)) {
        const wrong = perform(action)
        if (wrong !== undefined) return { setup, actions, wrong }
      }
      break
    }
  }
  return { setup, actions, wrong: perform({ do: "settle", everything: dice.chance(0.6) }) }
}

const count = (counts: Record<string, number>, { options }: Setup): void => {
  const [first] = options
  const add = (what: string, is: boolean): void => {
    if (is) counts[what] = (counts[what] ?? 0) + 1
  }
  add("runs", true)
  add("runs with small caches", options.some(({ cacheMax }) => cacheMax < 1_000))
  add("runs with few bytes", options.some(({ cacheSizeBytes }) => cacheSizeBytes < 1_000))
  add("runs with few tombstones", first.tombstonesMax < 1_000)
  add("runs with a short horizon", first.tombstoneHorizonMillis < 1_000_000)
  add(
    "runs with members of other sizes",
    options.some((each) => each.cacheMax !== first.cacheMax || each.cacheSizeBytes !== first.cacheSizeBytes)
  )
  add(
    "runs with members of other horizons",
    options.some((each) => each.tombstoneHorizonMillis !== first.tombstoneHorizonMillis)
  )
}

/** Leaves out actions, largest parts first, as long as the same invariant stays broken. */
export const shrink = (run: Run): Run => {
  const kindOf = (wrong: string | undefined): string | undefined => wrong?.match(/invariant \d|thrown|mode 2|lost/)?.[0]
  const kind = kindOf(run.wrong)
  let best = run
  const attemptWith = (setup: Setup, actions: ReadonlyArray<Action>): boolean => {
    const next = replay(setup, actions)
    if (next.wrong === undefined || kindOf(next.wrong) !== kind) return false
    best = next
    return true
  }
  for (let changed = true; changed;) {
    changed = false
    for (let size = Math.ceil(best.actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = best.actions.length - size; from >= 0; from -= size) {
        const rest = [...best.actions.slice(0, from), ...best.actions.slice(from + size)]
        if (attemptWith(best.setup, rest)) changed = true
      }
    }
    const plain = best.setup.skews.map(() => 0)
    if (best.setup.skews.some((skew) => skew !== 0)) {
      changed = attemptWith({ ...best.setup, skews: plain }, best.actions) || changed
    }
    for (
      const easy of [{ cacheMax: 1_000 }, { cacheSizeBytes: 1_000_000 }, { tombstonesMax: 1_000 }, {
        tombstoneHorizonMillis: 3_600_000
      }]
    ) {
      const options = best.setup.options.map((each) => ({ ...each, ...easy }))
      if (JSON.stringify(options) !== JSON.stringify(best.setup.options)) {
        changed = attemptWith({ ...best.setup, options }, best.actions) || changed
      }
    }
    for (const [index, action] of best.actions.entries()) {
      const simpler: Action | undefined =
        (action.do === "set" || action.do === "end fill") && (action.ttl > 0 || action.large)
          ? { ...action, ttl: 0, large: false }
          : undefined
      if (simpler !== undefined) {
        changed = attemptWith(best.setup, best.actions.map((each, place) => place === index ? simpler : each)) ||
          changed
      }
    }
  }
  return best
}

/** A run, for people: the setup, an action a line, and what broke. */
export const format = ({ actions, setup, wrong }: Run): string => {
  const { mode, options, skews } = setup
  const [{ collision, eviction }] = options
  const lines = [
    `mode ${mode}, collision ${collision}, eviction ${eviction}, ${setup.keys} keys`,
    ...options.map((each, index) =>
      `  member ${
        "ABCD"[index]
      }: ${each.cacheMax} entries, ${each.cacheSizeBytes} bytes, ${each.tombstonesMax} tombstones, ` +
      `horizon ${each.tombstoneHorizonMillis} ms, clock ${skews[index]} ms`
    ),
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    wrong ?? "nothing is wrong"
  ]
  return lines.join("\n")
}
