/** What a member tells of its namespaces, how soon, and what a flush of another one makes of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { NamespaceSummary } from "../../src/domain/Operation.ts"
import * as Operation from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import { everyone } from "../../src/runtime/MemoryNetwork.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import type { Namespace } from "../../src/services/Namespace.ts"
import * as Summaries from "../../src/services/Summaries.ts"
import { pair } from "./support/Pair.ts"

/** What `Summaries` looks at of so many namespaces. */
const start = (
  count: number,
  options: { readonly bytesMax?: number; readonly name?: (index: number) => string } = {}
) => {
  const { bytesMax = 1_324, name = (index) => `n${index}` } = options
  const namespaces = new Map<string, { readonly name: string; caughtUp: boolean }>()
  const add = (index: number): void => {
    const namespace = {
      name: name(index),
      options: { mode: 2 },
      fingerprint: `mode=1 collision=tie eviction=updated ${index % 10}`,
      sizing: `max=${"9".repeat(100)} ${index}`,
      replica: { floor: Number.MAX_SAFE_INTEGER, forget: Number.MAX_SAFE_INTEGER },
      caughtUp: false
    }
    namespaces.set(namespace.name, namespace)
  }
  for (let index = 0; index < count; index++) add(index)
  const time = {
    physical: () => 0,
    now: () => 0,
    glance: () => 0,
    ticks: () => 0,
    correctionMillis: () => 0,
    correct: () => {}
  }
  const summaries = Summaries.make({
    // It reads these fields only, outside mode 1.
    namespaces: namespaces as unknown as ReadonlyMap<string, Namespace>,
    time,
    joined: () => true,
    bytesMax
  })
  return { add, namespaces, summaries }
}

/** What is told in pulses between heartbeats until it waits for a heartbeat, and how long that takes. */
const hurried = (summaries: Summaries.Summaries) => {
  const pulses: Array<ReadonlyArray<string>> = []
  let millis = 0
  for (let delay = summaries.delayMillis(); delay < Infinity; delay = summaries.delayMillis()) {
    millis += delay
    pulses.push(summaries.changed().map(({ name }) => name))
  }
  return { millis, names: pulses.flat(), pulses }
}

const namesOf = (list: ReadonlyArray<NamespaceSummary>): ReadonlyArray<string> => list.map(({ name }) => name)

describe("the summaries of a member", () => {
  it("are told soon when they changed, and where they do not fit one heartbeat twice more", () => {
    const { namespaces, summaries } = start(500, { bytesMax: 60_000 })
    const all = [...namespaces.keys()]
    assert.deepStrictEqual(hurried(summaries).names.slice(0, 500), all)
    // What is left to be told again fits a heartbeat.
    summaries.heartbeat()
    assert.strictEqual(summaries.delayMillis(), Infinity)
    for (const namespace of namespaces.values()) namespace.caughtUp = true
    const again = hurried(summaries)
    assert.deepStrictEqual(again.names.slice(0, 500), all)
    assert.sameMembers(again.names.slice(500, 1_000), all)
    assert.isAtMost(again.millis, 2_000)
  })

  it("wait for the heartbeat when nothing changed, and have their turns there, what changed first", () => {
    const { add, namespaces, summaries } = start(30, { bytesMax: 2_000 })
    hurried(summaries)
    for (let beat = 0; beat < 3; beat++) summaries.heartbeat()
    const turns: Array<string> = []
    for (let beat = 0; beat < 30; beat++) turns.push(...namesOf(summaries.heartbeat()))
    assert.strictEqual(summaries.delayMillis(), Infinity)
    const counts = [...namespaces.keys()].map((name) => turns.filter((told) => told === name).length)
    assert.isAtMost(Math.max(...counts) - Math.min(...counts), 1)
    assert.deepStrictEqual(summaries.changed(), [])
    add(30)
    assert.strictEqual(namesOf(summaries.heartbeat())[0], "n30")
    const other = [...namespaces.values()][17]
    other.caughtUp = true
    assert.deepStrictEqual(namesOf(summaries.changed()), ["n17"])
    // A welcome goes to one member: it is no telling.
    other.caughtUp = false
    summaries.welcome()
    assert.deepStrictEqual(namesOf(summaries.changed()), ["n17"])
  })

  it("fit the datagram, and fill it, whatever is in them", () => {
    for (const [bytesMax, length] of [[500, 1], [1_324, 20], [1_324, 128], [8_800, 100], [65_000, 40]]) {
      const { summaries } = start(200, {
        bytesMax,
        name: (index) => String(index).padEnd(length, "ä").slice(0, length)
      })
      for (let beat = 0; beat < 5; beat++) {
        const namespaces = summaries.heartbeat().map((summary) => ({
          ...summary,
          quantum: Number.MAX_SAFE_INTEGER,
          count: Number.MAX_SAFE_INTEGER,
          hash: "f".repeat(16)
        }))
        const pulse = OperationCodec.encodeControl({
          _tag: "PULSE",
          lowest: Number.MAX_SAFE_INTEGER,
          highest: Number.MAX_SAFE_INTEGER,
          physicalMillis: Number.MAX_SAFE_INTEGER,
          clock: Number.MAX_SAFE_INTEGER,
          ready: true,
          asks: false,
          floor: Number.MAX_SAFE_INTEGER,
          namespaces
        })
        assert.isAtMost(pulse.length, bytesMax)
        if (namespaces.length < Operation.summariesMax) assert.isAtLeast(pulse.length, 0.6 * bytesMax - 150)
        assert.isDefined(OperationCodec.decode(pulse, "a".repeat(32)))
      }
    }
  })
})

describe("a member that opens many namespaces", () => {
  for (const loss of [0, 0.05]) {
    it.effect(`holds up no flush of another one${loss > 0 ? ", also if a datagram in twenty is lost" : ""}`, () =>
      Effect.gen(function*() {
        const { a, b, cluster, writer } = yield* pair()
        for (let index = 0; index < 300; index++) yield* a.mccache.cache(`many ${index}`)
        yield* cluster.advance("3 seconds")
        cluster.faults({ loss, delay: { minMillis: 5, maxMillis: 10 } })
        for (let index = 0; index < 300; index++) yield* b.mccache.cache(`many ${index}`)
        // What it has opened was told, and takes its time to catch up.
        for (let millis = 0; millis < 100; millis++) yield* cluster.advance(1)
        assert.isFalse([...b.member.namespaces().values()].every(({ caughtUp }) => caughtUp))
        yield* writer.set("k", 1)
        const flushing = yield* Effect.forkChild(a.mccache.flush())
        while (flushing.pollUnsafe() === undefined) yield* cluster.advance(1)
        assert.deepStrictEqual(yield* Fiber.join(flushing), { members: 1, left: [] })
        assert.isTrue([...b.member.namespaces().values()].every(({ caughtUp }) => caughtUp))
      }))
  }

  it.effect("says nothing but heartbeats, of a datagram each, once all is told", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: 3 })
      yield* cluster.join("a")
      const b = yield* cluster.join("b")
      for (let index = 0; index < 300; index++) yield* b.mccache.cache(`many ${index}`)
      yield* cluster.advance("20 seconds")
      let sent = 0
      cluster.hub.tap(({ from, to }) => {
        if (from === "b") sent++
        assert.strictEqual(to, everyone)
      })
      yield* cluster.advance("60 seconds")
      assert.isAtMost(sent, 60)
      assert.isAtLeast(sent, 59)
    }))
})
