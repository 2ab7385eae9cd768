/**
 * Memory: what an entry takes beyond its encoded key and value, what a member takes at rest and at full load, and what an
 * operation leaves to the collector of garbage. How each is read stands in `support/MemoryReading.ts`.
 *
 * `entries-…`: keys and values are made while the cache is filled and kept by nobody else.
 * - `mccache`: by `set`, alone. What was set is encoded and not decoded until it is read.
 * - `mccache-received`: by another process, so that the entries came through the network. Not read either.
 * - `mccache-decoded`: by `set`, then each entry is read: encoded and decoded.
 * - `lru-cache`: holds the encoded bytes, with ttl and size; `lru-cache-objects`: the objects themselves. From both, too,
 *   the encoded bytes are subtracted.
 *
 * `beyondBytes` is what is held more than before, per entry, less the encoded key and value. Before: McCache is open and
 * empty (what it takes itself is told by `idle`), `lru-cache` is not made yet (it takes its arrays for `max` at once).
 */
import { LRUCache } from "lru-cache"
import { pack } from "msgpackr"
import { isDeepStrictEqual } from "node:util"
import type { Allocated } from "../roles/MemoryGarbage.ts"
import * as LocalData from "../support/LocalData.ts"
import * as MemoryReading from "../support/MemoryReading.ts"
import * as MemoryTraffic from "../support/MemoryTraffic.ts"
import type * as Peers from "../support/Peers.ts"
import type { Capacity } from "../support/PeersMcCache.ts"
import * as Processes from "../support/Processes.ts"
import type { Budget, Case, Figures, Look, Suite } from "../support/Suite.ts"
import { expect } from "../support/Suite.ts"

const holders = ["mccache", "mccache-received", "mccache-decoded", "lru-cache", "lru-cache-objects"] as const
const processes = ["node", "mccache-imported", "mccache-open"] as const
const allocators: ReadonlyArray<Peers.Name> = [
  "mccache",
  "mccache-unsafe",
  "mccache-effect",
  "lru-cache",
  "msgpackr+lru-cache",
  "map",
  "cacheable",
  "bentocache",
  "effect-cache"
]

/** What the quick run is content with. */
const budgeted: ReadonlyArray<Peers.Name> = ["mccache", "lru-cache", "msgpackr+lru-cache"]

const cases = (quick: boolean): ReadonlyArray<Case> => {
  const entries = (group: string, count: number, valueSize: LocalData.ValueSize): ReadonlyArray<Case> =>
    holders.map((subject) => ({ group, subject, parameters: { work: "entries", entries: count, valueSize } }))
  return [
    // A typed array of up to 64 bytes is on V8's own heap; a longer one has its bytes outside, which counts for the peers.
    ...quick ? [] : entries("entries-100000-small-object", 100_000, "small"),
    ...entries("entries-100000", 100_000, "100B"),
    ...quick ? [] : entries("entries-1000000", 1_000_000, "100B"),
    ...processes.map((subject) => ({ group: "idle", subject, parameters: { work: "idle" } })),
    { group: "full-load", subject: "mccache", parameters: { work: "load", seconds: quick ? 2 : 5 } },
    ...allocators.filter((subject) => !quick || budgeted.includes(subject)).map((subject) => ({
      group: "garbage-small-object",
      subject,
      parameters: { work: "garbage" }
    })),
    { group: "garbage-received", subject: "mccache", parameters: { work: "received", entries: 20_000 } }
  ]
}

// ------------------------------------------------------------------------------------------------ an entry

const capacityOf = (entries: number, size: LocalData.ValueSize): Capacity => ({
  entries,
  entryBytes: LocalData.encodedBytes(size) + 8
})

const memberFile = new URL("../roles/MemoryMember.ts", import.meta.url)

/** McCache as it is loaded only by the cases that speak of it: code is memory, too. */
const openMember = async (capacity: Capacity) => {
  const { open } = await import("../../src/standalone.ts")
  const PeersMcCache = await import("../support/PeersMcCache.ts")
  const mccache = await open(PeersMcCache.options(capacity))
  const cache = mccache.cache<LocalData.Value>("bench")
  await mccache.ready()
  return { mccache, cache }
}

/** A member in another process, in the cluster of this one. */
const startMember = async (capacity: Capacity, nodeFlags: ReadonlyArray<string> = []): Promise<Processes.Role> => {
  const member = Processes.start(memberFile, { nodeFlags })
  await member.ask("open", { capacity, of: process.pid })
  return member
}

const entries = async (subject: string, count: number, size: LocalData.ValueSize): Promise<Figures> => {
  const keyBytes = LocalData.key("short", "k", 0).length
  let valueBytes = 0
  for (let index = 0; index < count; index++) valueBytes += pack(LocalData.value(size, index)).length
  const encodedBytes = keyBytes + valueBytes / count
  const { before, get } = await filled(subject, count, size)
  const after = await MemoryReading.settled()
  for (const index of [0, count >> 1, count - 1]) {
    expect(isDeepStrictEqual(get(LocalData.key("short", "k", index)), LocalData.value(size, index)), `entry ${index}`)
  }
  return {
    encodedBytes,
    beyondBytes: (after.heldBytes - before.heldBytes) / count - encodedBytes,
    rssBeyondBytes: (after.rssBytes - before.rssBytes) / count - encodedBytes
  }
}

/** Fills; returns what was held before, and how an entry is read, which keeps the cache itself from the collector. */
const filled = async (
  subject: string,
  count: number,
  size: LocalData.ValueSize
): Promise<{ readonly before: MemoryReading.Reading; readonly get: (key: string) => unknown }> => {
  const capacity = capacityOf(count, size)
  if (!subject.startsWith("mccache")) {
    const before = await MemoryReading.settled()
    const bounds = { max: count, maxSize: 2 * count * Math.ceil(capacity.entryBytes), ttl: 3_600_000 }
    if (subject === "lru-cache-objects") {
      const cache = new LRUCache<string, LocalData.Value>({ ...bounds, sizeCalculation: () => 1 })
      await MemoryTraffic.fill((key, value) => cache.set(key, value), count, size)
      return { before, get: (key) => cache.get(key) }
    }
    const { unpack } = await import("msgpackr")
    const cache = new LRUCache<string, Uint8Array>({
      ...bounds,
      sizeCalculation: (bytes, key) => bytes.length + key.length
    })
    // Bytes of their own, as McCache's are: `pack` returns a piece of a buffer of 8 KiB.
    await MemoryTraffic.fill((key, value) => cache.set(key, new Uint8Array(pack(value))), count, size)
    return { before, get: (key) => unpack(cache.get(key) ?? new Uint8Array([0xc0])) as unknown }
  }
  const { cache, mccache } = await openMember(capacity)
  if (subject === "mccache-received") {
    const writer = await startMember(capacity)
    await MemoryTraffic.until(() => mccache.members().length === 2, "the writer is a member")
    const before = await MemoryReading.settled()
    await writer.ask("fill", { count, size })
    expect(cache.size === count, `${cache.size} of ${count} entries came`)
    writer.end()
    return { before, get: (key) => cache.get(key) }
  }
  const before = await MemoryReading.settled()
  await MemoryTraffic.fill((key, value) => cache.set(key, value), count, size)
  await MemoryTraffic.until(() => cache.metrics().outbox === 0, "the outbox is empty")
  if (subject === "mccache-decoded") {
    for (const [, value] of cache) expect(value.id >= 0, "a value has its id")
  }
  return { before, get: (key) => cache.get(key) }
}

// ------------------------------------------------------------------------------------------------ a member

/** What a process takes that did nothing for three seconds. `node` has loaded this suite, as the others have. */
const idle = async (subject: string): Promise<Figures> => {
  if (subject === "mccache-imported") await import("../../src/standalone.ts")
  if (subject === "mccache-open") await openMember({ entries: 10_000, entryBytes: 100 })
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const { externalBytes, heapBytes, rssBytes } = await MemoryReading.settled()
  return { rssBytes, heapBytes, externalBytes }
}

const load = async (seconds: number): Promise<Figures> => {
  const capacity = capacityOf(20_000, "100B")
  const { cache, mccache } = await openMember(capacity)
  const receiver = await startMember(capacity)
  await MemoryTraffic.until(() => mccache.members().length === 2, "the receiver is a member")
  await receiver.ask("watch")
  const watched = MemoryReading.watching(() => {
    const metrics = mccache.localMetrics()
    return { retainedBytes: metrics.network.retainedBytes, outboxKeys: cache.metrics().outbox }
  })
  const sets = await MemoryTraffic.load(cache, 10_000, "100B", seconds)
  const { externalBytes, heapBytes, outboxKeys, retainedBytes, rssBytes } = watched()
  const other = await receiver.ask<{ readonly [name: string]: number }>("watched")
  await mccache.flush({ timeout: "60 seconds" })
  const size = await receiver.ask<number>("size")
  expect(size === 10_000, `the receiver holds ${size} of 10000 entries`)
  const { network } = mccache.localMetrics()
  return {
    setsPerSecond: sets / seconds,
    heapMaxBytes: heapBytes,
    externalMaxBytes: externalBytes,
    rssMaxBytes: rssBytes,
    retainedMaxBytes: retainedBytes,
    outboxMaxKeys: outboxKeys,
    abandoned: network.abandoned,
    receiverHeapMaxBytes: other.heapBytes,
    receiverExternalMaxBytes: other.externalBytes,
    receiverRssMaxBytes: other.rssBytes
  }
}

// ------------------------------------------------------------------------------------------------ garbage

const garbage = async (name: string): Promise<Figures> => {
  const role = Processes.start(new URL("../roles/MemoryGarbage.ts", import.meta.url), {
    nodeFlags: MemoryReading.youngFlags
  })
  return { ...await role.ask<Allocated>("measure", { name, size: "small" }) }
}

/**
 * What a write allocates at who sends it and at who receives it, with all that the protocol does meanwhile. What an entry holds
 * is in it: each replaces one that was there, in a process that collects nothing.
 */
const received = async (count: number): Promise<Figures> => {
  const capacity = capacityOf(2 * count, "small")
  const [sender, receiver] = await Promise.all([
    startMember(capacity, MemoryReading.youngFlags),
    startMember(capacity, MemoryReading.youngFlags)
  ])
  while (await sender.ask<number>("members") < 2) await new Promise((resolve) => setTimeout(resolve, 50))
  const fill = (): Promise<void> => sender.ask("fill", { count, size: "small" })
  for (let round = 0; round < 10; round++) await fill()
  const size = await receiver.ask<number>("size")
  expect(size === count, `the receiver holds ${size} of ${count} entries`)
  let [sentBytes, receivedBytes] = [Number.NaN, Number.NaN]
  for (let attempt = 0; attempt < 5; attempt++) {
    await Promise.all([sender.ask("count"), receiver.ask("count")])
    await fill()
    const [sent, got] = await Promise.all([
      sender.ask<number | undefined>("counted"),
      receiver.ask<number | undefined>("counted")
    ])
    if (sent !== undefined && !(sent / count > sentBytes)) sentBytes = sent / count
    if (got !== undefined && !(got / count > receivedBytes)) receivedBytes = got / count
  }
  expect(!Number.isNaN(sentBytes + receivedBytes), "garbage was collected whenever it was counted")
  return { sentBytes, receivedBytes }
}

const run = ({ parameters, subject }: Case): Promise<Figures> => {
  switch (parameters.work) {
    case "entries":
      return entries(subject, Number(parameters.entries), parameters.valueSize as LocalData.ValueSize)
    case "idle":
      return idle(subject)
    case "load":
      return load(Number(parameters.seconds))
    case "garbage":
      return garbage(subject)
    default:
      return received(Number(parameters.entries))
  }
}

const budgets = (look: Look): ReadonlyArray<Budget> =>
  ["entries-100000-small-object", "entries-100000", "entries-1000000"].flatMap((where): ReadonlyArray<Budget> => {
    const ratio = look(where, "mccache-received", "beyondBytes") / look(where, "lru-cache", "beyondBytes")
    if (Number.isNaN(ratio)) return []
    return [{
      name: `memory beyond the encoded bytes against lru-cache, ${where}`,
      bound: "<= 1.5 ×",
      measured: `${ratio.toFixed(2)} ×`,
      met: ratio <= 1.5
    }]
  })

export const suite: Suite = {
  name: "memory",
  title: "Memory: bytes",
  runs: { full: 3, quick: 1 },
  caseSecondsMax: 180,
  cases,
  run,
  budgets
}
