/**
 * The model: random runs over real namespaces, replicas and repairs (`npm run model` does the same for as long as one likes),
 * and the shrunk runs in which it found something wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Replica from "../../src/domain/Replica.ts"
import { format, replay, search, shrink } from "./support/ModelRun.ts"
import type { Action, Setup } from "./support/ModelWorld.ts"

const setup = (members: number, mode: Replica.Mode, options: Partial<Replica.Options> = {}): Setup => ({
  mode,
  keys: 2,
  skews: Array.from({ length: members }, () => 0),
  options: Array.from({ length: members }, () => ({
    mode,
    collision: "tie",
    eviction: mode === 1 ? "updated" : "used",
    cacheMax: 1_000,
    cacheSizeBytes: 1_000_000,
    tombstoneHorizonMillis: 3_600_000,
    tombstonesMax: 1_000,
    ...options
  }))
})

const set = (at: number, key: number): Action => ({ do: "set", at, key, ttl: 0, large: false })
const remove = (at: number, key: number): Action => ({ do: "delete", at, key })
const send = (at: number, id: number): Action => ({ do: "send", at, id })
const deliver = (id: number, to: number): Action => ({ do: "deliver", id, to })
const take = (at: number, from: number, id: number): Action => ({ do: "take", at, from, id })
const wait = (millis: number): Action => ({ do: "wait", millis })
/** As many steps of a take as it can have. */
const rest = (id: number): ReadonlyArray<Action> =>
  Array.from({ length: 16 }, () => ({ do: "proceed", id, pick: 0 } as const))

describe("what the model found", () => {
  const found = (name: string, where: Setup, actions: ReadonlyArray<Action>): void =>
    it(name, () => {
      const run = replay(where, actions)
      assert.isUndefined(run.wrong, format(run))
    })

  found("an eviction of what another member wrote is not told under the own id", setup(2, 0, { cacheMax: 1 }), [
    set(0, 0),
    wait(1),
    set(1, 0),
    send(1, 1),
    deliver(1, 0),
    set(0, 1),
    send(0, 2)
  ])

  found("a delete that a donor lists overtakes a computation in flight for a key that is not held", setup(2, 0), [
    { do: "begin fill", at: 1, key: 0, id: 1 },
    wait(1),
    remove(0, 0),
    take(1, 0, 2),
    ...rest(2),
    { do: "end fill", id: 1, ttl: 0, large: false }
  ])

  found("a local write after a repair is newer than a delete that the donor listed", {
    ...setup(2, 0),
    skews: [100, -100]
  }, [
    set(0, 0),
    send(0, 1),
    remove(0, 0),
    take(1, 0, 2),
    ...rest(2),
    set(1, 0),
    deliver(1, 1)
  ])

  found("what a donor drops between its digest and a listing stays gone", setup(3, 1, { tombstonesMax: 1 }), [
    set(2, 0),
    send(2, 1),
    wait(1),
    remove(1, 0),
    take(0, 1, 2),
    // The digest is answered.
    { do: "proceed", id: 2, pick: 0 },
    // The tombstone gives way to another.
    remove(1, 1),
    ...rest(2),
    deliver(1, 0)
  ])

  const three = (where: Setup): Setup => ({ ...where, keys: 3 })

  found(
    "a delete that arrives during a repair outlasts it, finished or not",
    three(setup(2, 1, { tombstonesMax: 1 })),
    [
      set(0, 0),
      send(0, 1),
      wait(1),
      remove(0, 0),
      send(0, 2),
      // The tombstone gives way to another: the bucket of the first key is empty here and there.
      remove(0, 2),
      take(1, 0, 3),
      { do: "proceed", id: 3, pick: 0 },
      { do: "proceed", id: 3, pick: 0 },
      deliver(2, 1),
      { do: "abandon", id: 3 },
      deliver(1, 1)
    ]
  )

  found("a write that collided before it was sent reaches the others", setup(3, 2), [
    set(2, 0),
    set(0, 0),
    send(0, 1),
    deliver(1, 2),
    { do: "settle", everything: true }
  ])

  found("a write that had expired by the member's own clock, which ran back, reaches the others", setup(2, 2), [
    { do: "clock", at: 1, skew: 3_000 },
    { do: "sweep", at: 1 },
    { do: "clock", at: 1, skew: 200 },
    set(0, 0),
    { do: "set", at: 1, key: 0, ttl: 1_000, large: false },
    { do: "settle", everything: true }
  ])

  found("a computation is old when a write that began later arrives, also from below a clear", setup(2, 2), [
    { do: "clear", at: 0 },
    { do: "begin fill", at: 0, key: 0, id: 1 },
    { do: "end fill", id: 1, ttl: 0, large: false },
    set(1, 0),
    send(1, 2),
    deliver(2, 0)
  ])

  found("a computation is old when a clear by a slower clock arrives", { ...setup(2, 2), skews: [100, -100] }, [
    { do: "begin fill", at: 0, key: 0, id: 1 },
    { do: "end fill", id: 1, ttl: 0, large: false },
    wait(1),
    { do: "clear", at: 1 },
    send(1, 2),
    deliver(2, 0)
  ])

  found("a computation is old when a clear from below an own one arrives", setup(2, 2), [
    { do: "clear", at: 1 },
    { do: "begin fill", at: 1, key: 0, id: 1 },
    { do: "end fill", id: 1, ttl: 0, large: false },
    { do: "clear", at: 0 },
    send(0, 2),
    deliver(2, 1)
  ])

  found("a clock that starts anew gives no stamp out twice, also after one that it received again", {
    ...setup(2, 2),
    skews: [350, 50]
  }, [
    set(0, 0),
    send(0, 1),
    deliver(1, 1),
    { do: "clock", at: 1, skew: -350 },
    { do: "begin fill", at: 1, key: 0, id: 2 },
    { do: "restart", at: 1 },
    wait(200),
    deliver(1, 1),
    { do: "clear", at: 1 }
  ])

  const sizes = setup(2, 0, { tombstonesMax: 1 })

  found("a delete is told although its tombstone had to give way before", {
    ...sizes,
    options: [sizes.options[0], { ...sizes.options[1], cacheMax: 1 }]
  }, [
    remove(1, 1),
    remove(1, 0),
    set(0, 1),
    { do: "settle", everything: true }
  ])
})

describe("random runs", () => {
  const searches = (mode: Replica.Mode, runs: number): void =>
    it(`of mode ${mode} with faults of every kind break no invariant`, () => {
      const counts: Record<string, number> = {}
      for (let seed = 1; seed <= runs; seed++) {
        const run = search(seed, mode, counts)
        if (run.wrong !== undefined) assert.fail(`seed ${seed}\n${format(shrink(run))}`)
      }
      // A search in which nothing happens proves nothing.
      for (const what of happening[mode]) assert.isAbove(counts[what] ?? 0, runs / 200, what)
    })

  const always = ["delivered again", "fill stored", "fill overtaken", "folded: superseded", "reset", "replace"]
  const repairing = [
    "several takes at once",
    "taker and donor at once",
    "repair brought copies",
    "repair of other sizes",
    "delivered beyond the forget line"
  ]
  const happening: { readonly [M in Replica.Mode]: ReadonlyArray<string> } = {
    0: [...always, ...repairing],
    1: [...always, ...repairing, "join brought copies"],
    2: [...always, "drop", "folded: invalidated"]
  }

  searches(0, 2_500)
  searches(1, 4_000)
  searches(2, 8_000)
})
