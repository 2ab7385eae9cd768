/** What a cluster costs as it grows: the claims of docs/scale.md, held at small sizes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Options } from "../../src/domain/Configuration.ts"
import * as Scale from "./support/Scale.ts"

const sizes = [4, 8, 16, 32]

/** So few acknowledgements a second that clusters of this test are large ones. */
const thinned: Options = { protocol: { acksPerSecondMax: 1_000 } }

describe("a cluster that grows", () => {
  for (const members of sizes) {
    it.effect(`of ${members} members costs each of them what it costs one of few`, () =>
      Effect.gen(function*() {
        const cluster = yield* Scale.make(members)

        // At rest: a heartbeat of each a second, and nothing else.
        const idle = yield* Scale.idle(cluster, 2)
        assert.strictEqual(idle.sent, 2 * members)
        assert.strictEqual(idle.operations.PULSE, 2 * members)

        // A write: one datagram, one acknowledgement by each reader, and nothing else.
        const written = yield* Scale.writes(cluster, { perSecond: 20, seconds: 0.5 })
        assert.strictEqual(written.data, written.writes)
        assert.strictEqual(written.operations.ACK, written.writes * (members - 1))
        assert.strictEqual(written.caused, written.writes * members)
        assert.strictEqual(written.writerReceived, written.writes * (members - 1))
        assert.strictEqual(written.readerReceived, written.writes, "a reader hears of no other reader")

        // Many writes: acknowledged by the window.
        const burst = yield* Scale.burst(cluster, { keys: 1_000 })
        assert.isBelow(burst.operations.ACK / burst.data / (members - 1), 0.05)
        assert.isBelow(burst.readerReceived / burst.data, 1.05)

        // A loss: asked for once by each that lost it, and however many did, sent to the first and to all.
        const lossy = yield* Scale.writes(cluster, { perSecond: 100, seconds: 1, loss: 0.05 })
        assert.isAbove(lossy.lost, 0)
        assert.strictEqual(lossy.abandoned, 0)
        assert.isBelow((lossy.operations.NACK ?? 0) / lossy.lost, 1.5)
        const repeats = lossy.repeatsToAll + lossy.repeatsToOne
        assert.isBelow(repeats / lossy.lost, 1.4)
        assert.isBelow(repeats / lossy.data, 1.5)
        assert.isBelow(lossy.settledMillis, 500)
      }).pipe(Effect.scoped))
  }

  it.effect("gives a sender no more acknowledgements a second than it was made for", () =>
    Effect.gen(function*() {
      for (const members of [8, 32]) {
        const cluster = yield* Scale.make(members, { options: thinned })
        const most = Scale.peak(cluster)
        const { data, operations, pulses } = yield* Scale.writes(cluster, { perSecond: 100, seconds: 1 })
        // Unthinned they are (members - 1) × 100: 3,100 for 32.
        assert.isAtMost(operations.ACK, 1_100, `${members} members`)
        assert.isAtLeast(operations.ACK, 600, "not many fewer, which would be slow for nothing")
        // All at once they would be 31.
        assert.isAtMost(most(), 8, `${members} members, in a millisecond`)
        assert.isBelow(pulses / data, 0.05, "nobody has to ask")
      }
    }).pipe(Effect.scoped))

  it.effect("passes a flush although acknowledgements are spread", () =>
    Effect.gen(function*() {
      const cluster = yield* Scale.make(32, { options: thinned })
      const [{ mccache, member }] = cluster.nodes()
      member.cache<number>("n").set("k", 1)
      let flushed = false
      yield* Effect.forkChild(Effect.map(mccache.flush(), () => {
        flushed = true
      }))
      let millis = 0
      for (; millis < 1_000 && !flushed; millis++) yield* cluster.advance(1)
      // The spread is 2 × (31 - 5) ms, and one waits for the last of them.
      assert.isAtMost(millis, 80)
    }).pipe(Effect.scoped))
})

describe("joining", () => {
  /** One CHALLENGE and two PROOFs for each pair, or two and two where both ask at once. */
  const bounded = (members: number, storm: Scale.Storm): void => {
    const { joiners, operations } = storm
    const pairs = joiners * (members - joiners) + joiners * (joiners - 1) / 2
    assert.isAtMost(operations.CHALLENGE, 1.1 * pairs, `${joiners} into ${members}`)
    assert.isAtMost(operations.PROOF, 2.1 * pairs, `${joiners} into ${members}`)
    assert.isAtMost(operations.WELCOME ?? 0, 3 * joiners, `${joiners} into ${members}`)
    assert.isAtMost(operations.JOIN, 6 * joiners, `${joiners} into ${members}`)
    assert.isAtMost(storm.readyMillis, 1_300, `${joiners} into ${members}`)
  }

  it.effect("one member is answered by three, and met by each once", () =>
    Effect.gen(function*() {
      for (const members of sizes) {
        const cluster = yield* Scale.make(members - 1)
        const storm = yield* Scale.storm(cluster, 1)
        bounded(members, storm)
        assert.strictEqual(storm.operations.WELCOME, Math.min(3, members - 1))
      }
    }).pipe(Effect.scoped))

  it.effect("a storm costs each joiner what one that comes alone costs", () =>
    Effect.gen(function*() {
      for (const members of [8, 32]) {
        bounded(members, yield* Scale.storm(yield* Scale.empty(), members))
        const cluster = yield* Scale.make(members / 2)
        bounded(members, yield* Scale.storm(cluster, members / 2))
      }
    }).pipe(Effect.scoped))
})
