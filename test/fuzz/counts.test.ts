/** Records that claim a million items in a few bytes: what the decoder makes room for before it finds them missing. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Framing from "../../src/domain/Framing.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import type { Sent } from "../../src/runtime/MemoryNetwork.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import { Dice } from "./Dice.ts"
import * as Intruders from "./Intruder.ts"
import { Ledger } from "./Ledger.ts"

/** A WANT of one key whose count says 1,048,560. */
const lying = Buffer.from("092120919bc1aa1f02f0e0b5a2390457414e5480aacfb36500e88cc1d27c04f0ff3f020561", "hex")

/** As many as a datagram holds, in a control body. */
const records = 36
const body = Framing.controlBody(
  Buffer.concat(Array.from({ length: records }, () => Buffer.from([0, lying.length, ...lying])))
)

const setting = Effect.gen(function*() {
  const cluster = yield* Cluster.make({ seed: 3 })
  const { member } = yield* cluster.join("victim")
  yield* cluster.advance("2 seconds")
  const clock = yield* Clock.Clock
  const intruder = new Intruders.Intruder({
    dice: new Dice(1),
    contents: { datagrams: [], bodies: [], records: [], values: [], replies: [], tags: new Set() },
    cluster: "simulation",
    keys: [],
    names: new Map([[member.id, "victim"]]),
    nowMillis: () => Stamp.epochMillis + Math.floor(clock.currentTimeMillisUnsafe()),
    ledger: new Ledger()
  })
  const heard: Array<Sent> = []
  cluster.hub.tap((sent) => heard.push(sent))
  const send = (bytes: Uint8Array) => cluster.hub.inject("victim", intruder.sealed(member.id, bytes), Intruders.address)
  const answer = Effect.suspend(() => {
    for (const sent of heard.splice(0)) intruder.hear(sent)
    return Effect.forEach(intruder.answers(), ({ payload, to }) => cluster.hub.inject(to, payload, Intruders.address))
  })
  return { cluster, member, send, answer }
})

describe("a datagram full of records that lie about their counts", () => {
  it("is one that the decoder refuses, slowly", () => {
    assert.isUndefined(OperationCodec.decode(lying, "ab".repeat(16)))
  })

  it.effect("costs a trusting member one of them: what follows the first is not read", () =>
    Effect.gen(function*() {
      const { answer, cluster, member, send } = yield* setting
      // Large enough to be challenged for.
      yield* send(
        Framing.controlBody(
          Intruders.wholePiece(OperationCodec.encodeControl({ _tag: "JOIN", physicalMillis: 2 ** 40 }))
        )
      )
      for (let turn = 0; turn < 5; turn++) {
        yield* cluster.advance("100 millis")
        yield* answer
      }
      assert.lengthOf(member.members(), 2)
      const before = member.localMetrics().refused.malformed
      yield* send(body)
      yield* cluster.advance("10 millis")
      assert.strictEqual(member.localMetrics().refused.malformed - before, 1)
    }).pipe(Effect.scoped))

  it.effect("costs nothing when it comes from a stranger, of whom only proofs and challenges are read", () =>
    Effect.gen(function*() {
      const { cluster, send } = yield* setting
      const begun = performance.now()
      for (let count = 0; count < 20; count++) yield* send(body)
      yield* cluster.advance("10 millis")
      // Each of the 720 takes some milliseconds.
      assert.isBelow(performance.now() - begun, 500)
    }).pipe(Effect.scoped))
})
