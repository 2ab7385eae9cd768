/**
 * The replica and the repair together: every interleaving of a few events at small scope, and long random runs at a larger
 * one. After each step nothing may come back or go back (invariants 2 and 3); after healing all hold the same (1) and the
 * newest (5).
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Replica from "../../src/domain/Replica.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { Group } from "./support/Group.ts"

type Action = readonly [name: string, perform: (group: Group) => void]

/**
 * Runs every sequence of at most `depth` actions, each from the start, as a replica cannot be copied. A sequence in which an
 * action has nothing to do is left out with all that begin like it.
 */
const exhaust = (
  members: number,
  options: Partial<Replica.Options>,
  actionsOf: (group: Group) => ReadonlyArray<Action>,
  depth: number
): number => {
  let runs = 0
  const forgets = forgetful(options)
  const explore = (path: ReadonlyArray<number>): void => {
    const group = new Group(members, ["x", "y"], options)
    const names: Array<string> = []
    for (const choice of path) {
      const [name, perform] = actionsOf(group)[choice]
      names.push(name)
      perform(group)
      const wrong = group.look()
      if (wrong !== undefined) assert.fail(`${wrong}\nafter ${names.join(", ")}`)
    }
    const choices = path.length === depth ? 0 : actionsOf(group).length
    runs++
    const wrong = group.heal() ?? group.outdated() ?? (forgets ? undefined : group.lost(options))
    if (wrong !== undefined) assert.fail(`${wrong}\nafter ${names.join(", ")}, and healing`)
    for (let choice = 0; choice < choices; choice++) explore([...path, choice])
  }
  explore([])
  return runs
}

/** Whether knowledge may have to be dropped: by capacity, by budget or by age. */
const forgetful = ({ cacheMax = 1_000, tombstoneHorizonMillis = 3_600_000, tombstonesMax = 1_000 }): boolean =>
  cacheMax < 1_000 || tombstonesMax < 1_000 || tombstoneHorizonMillis < 3_600_000

/** What may happen next: writes, deliveries of anything sent so far (again, too), steps of repairs, and time. */
const actions = (writes: ReadonlyArray<Action>, waitMillis: number) => (group: Group): ReadonlyArray<Action> => {
  const possible: Array<Action> = [...writes]
  for (const [number, sent] of group.sent.entries()) {
    for (let to = 0; to < group.subjects.length; to++) {
      if (to !== sent.from) possible.push([`deliver ${number} to ${to}`, () => group.deliver(sent, to)])
    }
  }
  for (let taker = 0; taker < group.subjects.length; taker++) {
    const take = group.takes.find((each) => each.taker === taker)
    const donor = (taker + 1) % group.subjects.length
    if (take !== undefined) possible.push([`proceed ${taker}`, () => void group.proceed(take)])
    else if (group.sent.length > 0) {
      possible.push([`repair ${taker}`, () => void group.proceed(group.begin(taker, donor))])
    }
  }
  if (waitMillis > 0 && group.sent.length > 0) possible.push(["wait", () => void (group.now += waitMillis)])
  return possible
}

const set = (index: number, key: string, ttlMillis = 0): Action => [
  `set ${key} at ${index}`,
  (group) => group.set(index, key, ttlMillis)
]
const remove = (
  index: number,
  key: string
): Action => [`delete ${key} at ${index}`, (group) => group.delete(index, key)]
const clear = (index: number): Action => [`clear at ${index}`, (group) => group.clear(index)]

describe("every interleaving of a few events", () => {
  const search = (
    name: string,
    members: number,
    options: Partial<Replica.Options>,
    writes: ReadonlyArray<Action>,
    depth: number,
    waitMillis = 0
  ): void =>
    it(name, () => {
      const runs = exhaust(members, options, actions(writes, waitMillis), depth)
      // A search that finds nothing to do would prove nothing.
      assert.isAbove(runs, 5_000)
    }, 60_000)

  search("two members write and delete one key", 2, {}, [set(0, "x"), set(1, "x"), remove(0, "x")], 5)
  search("with the latest policy", 2, { collision: "latest" }, [set(0, "x"), set(1, "x"), remove(1, "x")], 5)
  search("clears between writes", 2, {}, [set(0, "x"), set(1, "y"), clear(1)], 5)
  search("caches that hold one entry of two", 2, { cacheMax: 1 }, [set(0, "x"), set(1, "y"), remove(0, "y")], 5)
  search("one tombstone at most", 2, { tombstonesMax: 1 }, [set(0, "x"), remove(0, "x"), remove(1, "y")], 5)
  search(
    "tombstones that are soon too old",
    2,
    { tombstoneHorizonMillis: 4_000 },
    [set(0, "x"), set(1, "x"), remove(0, "x")],
    5,
    5_000
  )
  search("entries that expire", 2, {}, [set(0, "x", 1_000), set(1, "x"), remove(1, "x")], 5, 1_500)
  search("three members, one of which hears little", 3, {}, [set(0, "x"), remove(1, "x")], 5)
  search("three members with room for one entry", 3, { cacheMax: 1 }, [set(0, "x"), set(1, "y")], 5)
})

describe("long random runs", () => {
  const run = (seed: number): void => {
    const random = mulberry32(seed)
    const below = (bound: number): number => Math.floor(random() * bound)
    const members = 2 + below(3)
    const keys = Array.from({ length: 2 + below(5) }, (_, index) => `k${index}`)
    const options: Partial<Replica.Options> = {
      collision: random() < 0.7 ? "tie" : "latest",
      cacheMax: random() < 0.5 ? 1_000 : 1 + below(keys.length),
      tombstonesMax: random() < 0.6 ? 1_000 : 1 + below(4),
      tombstoneHorizonMillis: random() < 0.6 ? 3_600_000 : 4_000 + below(10_000)
    }
    const group = new Group(members, keys, options, Array.from({ length: members }, () => below(600) - 300))
    const steps = 20 + below(120)
    const loss = random() * 0.6
    const resets = random() < 0.3
    for (let step = 0; step < steps; step++) {
      const index = below(members)
      const key = keys[below(keys.length)]
      const dice = random()
      if (dice < 0.3) {
        if (random() < 0.6) group.set(index, key, random() < 0.3 ? 1 + below(3_000) : 0)
        else if (random() < 0.9) group.delete(index, key)
        else group.clear(index)
        const sent = group.sent[group.sent.length - 1]
        for (let to = 0; to < members; to++) if (random() > loss) group.deliver(sent, to)
      } else if (dice < 0.5 && group.sent.length > 0) {
        group.deliver(group.sent[below(group.sent.length)], below(members))
      } else if (dice < 0.85) {
        // Several takes at once, also by one member from several, each at its own pace.
        if (group.takes.length > 0 && random() < 0.85) group.proceed(group.takes[below(group.takes.length)])
        else {
          const donor = below(members)
          if (donor !== index) group.begin(index, donor)
        }
      } else if (dice < 0.88 && group.takes.length > 0) {
        group.abandon(group.takes[below(group.takes.length)])
      } else if (resets && dice < 0.89) group.reset(index)
      else group.now += below(random() < 0.1 ? 6_000 : 200)
      const wrong = group.look()
      if (wrong !== undefined) assert.fail(`seed ${seed}, step ${step}: ${wrong}`)
    }
    const wrong = group.heal() ?? (resets ? undefined : group.outdated()) ??
      (resets || forgetful(options) ? undefined : group.lost(options))
    if (wrong !== undefined) assert.fail(`seed ${seed}: ${wrong}`)
  }

  it("of two to four members with loss, repetition, late delivery and several repairs at once", () => {
    for (let seed = 1; seed <= 5_000; seed++) run(seed)
  }, 60_000)
})
