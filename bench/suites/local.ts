/**
 * One process: what each operation costs that needs no other member. McCache is open, alone in its cluster, with its sockets
 * and its actors. A case is one subject with one number of entries, length of keys and size of values, and does every
 * operation in turn, in the same order for all.
 *
 * - `getHit`, `getMiss`, `has`: keys in a shuffled order, each held (or none of them).
 * - `getAfterSet`: the first `get` after a `set`, which is when McCache decodes.
 * - `setUpdate`: keys that are held, in bursts of 1,000: what a caller waits for. What McCache sends later, on another turn,
 *   is not in it.
 * - `setDrained`: the same, timed until nothing waits to be sent any more: what it costs in all. Nobody else is there to
 *   receive it; the throughput suite has receivers.
 * - `setNew`, `delete`: 1,000 keys that were never held, then deleted again.
 * - `iterate`: a pass over all entries, each with its value, per entry.
 * - `mix`: 95 % `get`, 5 % `set`, keys by Zipf's law; with the draining.
 *
 * Peers whose operations are Promises are awaited one by one, as a user awaits them. The Effect APIs run in one
 * `Effect.runSync` of one generator per 1,000 operations.
 */
import { isDeepStrictEqual } from "node:util"
import * as LocalData from "../support/LocalData.ts"
import * as LocalTiming from "../support/LocalTiming.ts"
import * as Peers from "../support/Peers.ts"
import type { Subject, Work } from "../support/PeersSubject.ts"
import type { Budget, Case, Figures, Look, Suite } from "../support/Suite.ts"
import { expect } from "../support/Suite.ts"

interface Group {
  readonly name: string
  readonly entries: number
  readonly keyLength: LocalData.KeyLength
  readonly valueSize: LocalData.ValueSize
  readonly subjects: ReadonlyArray<Peers.Name>
}

const few: ReadonlyArray<Peers.Name> = ["mccache", "lru-cache", "msgpackr+lru-cache", "map"]
const copying: ReadonlyArray<Peers.Name> = ["mccache", "lru-cache", "msgpackr+lru-cache", "cacheable", "bentocache"]

const group = (name: string, subjects: ReadonlyArray<Peers.Name>, parameters: Partial<Group>): Group => ({
  name,
  entries: 10_000,
  keyLength: "short",
  valueSize: "100B",
  subjects,
  ...parameters
})

/** Not every combination: each group moves one thing away from the others. */
const groups = (quick: boolean): ReadonlyArray<Group> => {
  const small = group("small-object", Peers.names, { valueSize: "small" })
  if (quick) return [small, group("entries-100000", few, { entries: 100_000 })]
  return [
    small,
    group("entries-1000", Peers.names, { entries: 1_000 }),
    group("entries-100000", Peers.names, { entries: 100_000 }),
    group("entries-1000000", few, { entries: 1_000_000 }),
    group("keys-long", few, { entries: 100_000, keyLength: "long" }),
    group("value-10B", copying, { valueSize: "10B" }),
    group("value-100B", copying, {}),
    group("value-1KB", copying, { valueSize: "1KB" }),
    group("value-10KB", copying, { valueSize: "10KB" })
  ]
}

const cases = (quick: boolean): ReadonlyArray<Case> =>
  groups(quick).flatMap(({ name, subjects, ...parameters }) =>
    subjects.map((subject) => ({ group: name, subject, parameters: { ...parameters, quick } }))
  )

const { batchOperations } = LocalTiming
const values = 1_024
/** Room for keys that are set for a while; so that nothing is ever evicted. */
const spareEntries = 4 * batchOperations

const run = async ({ parameters, subject: name }: Case): Promise<Figures> => {
  const entries = Number(parameters.entries)
  const keyLength = parameters.keyLength as LocalData.KeyLength
  const valueSize = parameters.valueSize as LocalData.ValueSize
  const next = LocalData.random(42)
  const entryBytes = LocalData.encodedBytes(valueSize) + LocalData.key(keyLength, "k", 0).length
  const subject = await Peers.open(name as Peers.Name, { entries: entries + spareEntries, entryBytes })
  const held = LocalData.keys(keyLength, "k", entries)
  await fill(subject, held, valueSize)
  const pool = Array.from({ length: values }, (_, id) => LocalData.value(valueSize, id))
  const duration = parameters.quick === true
    ? { warmMillis: 60, millis: 80, samplesMin: 20 }
    : { warmMillis: 60, millis: 120, samplesMin: 30 }
  const work = (keys: ReadonlyArray<string>, writes = new Uint8Array(1)): Work => ({ keys, values: pool, writes })
  const figures = await operations({
    subject,
    duration,
    held: work(LocalData.shuffle([...held], next)),
    // As many as are held, up to so many that a lookup of them misses the processor's caches all the same.
    missing: work(LocalData.shuffle(LocalData.keys(keyLength, "m", Math.min(entries, 200_000)), next)),
    mixed: work(
      Array.from(LocalData.zipf(entries, 2 ** 17, next), (rank) => held[rank]),
      Uint8Array.from({ length: 4_096 }, () => next() < 0.05 ? 1 : 0)
    ),
    fresh: (sample) => {
      const from = sample * batchOperations
      return work(Array.from({ length: batchOperations }, (_, n) => LocalData.key(keyLength, "n", from + n)))
    }
  })
  const left = await subject.get(work(held), 0, entries)
  expect(left === entries, `${left} of ${entries} entries are left in the end`)
  await subject.close()
  return figures
}

/** Each entry with a value of its own. */
const fill = async (subject: Subject, keys: ReadonlyArray<string>, size: LocalData.ValueSize): Promise<void> => {
  for (let from = 0; from < keys.length; from += batchOperations) {
    const some = keys.slice(from, from + batchOperations)
    const own: Array<LocalData.Value> = some.map((_, index) => LocalData.value(size, from + index))
    // Their number must be a power of two.
    while (own.length < values) own.push(own[0])
    await subject.set({ keys: some, values: own, writes: new Uint8Array(1) }, 0, some.length)
    await LocalTiming.drained(subject.pending)
  }
  for (const index of [0, keys.length >> 1, keys.length - 1]) {
    const read = await subject.read(keys[index])
    expect(isDeepStrictEqual(read, LocalData.value(size, index)), `entry ${index} is ${JSON.stringify(read)}`)
  }
}

interface Works {
  readonly subject: Subject
  readonly duration: LocalTiming.Duration
  readonly held: Work
  readonly missing: Work
  readonly mixed: Work
  /** 1,000 keys that nobody saw before. */
  readonly fresh: (sample: number) => Work
}

const operations = async ({ duration, fresh, held, missing, mixed, subject }: Works): Promise<Figures> => {
  const expected = (hits: number) => (got: number): void => expect(got === hits, `${got} hits in place of ${hits}`)
  const all = expected(batchOperations)
  const from = (sample: number, { keys }: Work): number => (sample * batchOperations) % keys.length
  const plain = (batch: Subject["get"], on: Work, hits: number) =>
    LocalTiming.samples(
      duration,
      (sample) => LocalTiming.timed(batchOperations, () => batch(on, from(sample, on), batchOperations), expected(hits))
    )
  const drained = (batch: Subject["get"], on: Work) =>
    LocalTiming.samples(duration, (sample) =>
      LocalTiming.timedDrained(
        batchOperations,
        () => batch(on, from(sample, on), batchOperations),
        subject.pending,
        all
      ))
  /** Only `batch` is timed, not what is done to the same keys before and afterwards. */
  const amid = (
    { afterwards, batch, before }: Partial<Record<"before" | "afterwards", Subject["get"]>> & { batch: Subject["get"] },
    keys: (sample: number) => readonly [Work, number]
  ) =>
    LocalTiming.samples(duration, async (sample) => {
      const [on, at] = keys(sample)
      await before?.(on, at, batchOperations)
      await LocalTiming.drained(subject.pending)
      const nanos = await LocalTiming.timed(batchOperations, () => batch(on, at, batchOperations), all)
      await afterwards?.(on, at, batchOperations)
      return nanos
    })
  const heldAt = (sample: number) => [held, from(sample, held)] as const
  // Not even those of another operation were seen before.
  const freshAt = (offset: number) => (sample: number) => [fresh(offset + sample), 0] as const

  const figures: Array<Figures> = []
  const add = (name: string, found: ReadonlyArray<number>): void => {
    figures.push(LocalTiming.figures(name, found))
  }
  // All are read once, so that a hit is a hit whatever was decoded before.
  await subject.get(held, 0, held.keys.length)
  add("getHit", await plain(subject.get, held, batchOperations))
  add("getMiss", await plain(subject.get, missing, 0))
  add("has", await plain(subject.has, held, batchOperations))
  add("setUpdate", await plain(subject.set, held, batchOperations))
  add("setDrained", await drained(subject.set, held))
  add("getAfterSet", await amid({ before: subject.set, batch: subject.get }, heldAt))
  add("mix", await drained(subject.mix, mixed))
  const { iterate } = subject
  if (iterate !== undefined) {
    const count = held.keys.length
    await iterate()
    add(
      "iterate",
      await LocalTiming.samples(
        { ...duration, samplesMin: 5 },
        () => LocalTiming.timed(count, iterate, expected(count))
      )
    )
  }
  // Last, as they leave tombstones.
  add("setNew", await amid({ batch: subject.set, afterwards: subject.delete }, freshAt(0)))
  add("delete", await amid({ before: subject.set, batch: subject.delete }, freshAt(1_000_000)))
  return Object.assign({}, ...figures) as Figures
}

const ratio = (value: number): string => `${value.toFixed(2)} ×`

const budgets = (look: Look): ReadonlyArray<Budget> => {
  const found: Array<Budget> = []
  const add = (name: string, bound: string, value: number, max: number, show: (value: number) => string): void => {
    if (!Number.isNaN(value)) found.push({ name, bound, measured: show(value), met: value <= max })
  }
  const of = (figure: string, subject: Peers.Name, other: Peers.Name, where: string): number =>
    look(where, subject, figure) / look(where, other, figure)
  for (const where of ["small-object", "entries-1000", "entries-100000", "entries-1000000"]) {
    add(
      `get hit against lru-cache with ttl, ${where}`,
      "<= 1 ×",
      of("getHitNanos", "mccache", "lru-cache", where),
      1,
      ratio
    )
  }
  add(
    "set of a small object",
    "<= 1 µs",
    look("small-object", "mccache", "setUpdateNanos"),
    1_000,
    (nanos) => `${(nanos / 1_000).toFixed(2)} µs`
  )
  for (const figure of ["setUpdateNanos", "setNewNanos", "setDrainedNanos"]) {
    add(
      `set of a small object against msgpackr and lru-cache, ${figure}`,
      "<= 2 ×",
      of(figure, "mccache", "msgpackr+lru-cache", "small-object"),
      2,
      ratio
    )
  }
  return found
}

export const suite: Suite = {
  name: "local",
  title: "One process: nanoseconds an operation",
  runs: { full: 5, quick: 1 },
  cases,
  run,
  budgets
}
