/** An attacker that hears everything and sends what it likes, but holds no key: section 9 of the design. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Datagram from "../../src/domain/Datagram.ts"
import type { Sent } from "../../src/runtime/MemoryNetwork.ts"
import * as Attacker from "./support/Attacker.ts"
import * as Victims from "./support/Victims.ts"

const { oldKey } = Victims

describe("what was captured, sent again", () => {
  for (
    const [how, replayed, reasons] of [
      ["all of it in order", (sent: ReadonlyArray<Sent>) => sent, ["replayed", "unauthentic"]],
      ["backwards", (sent: ReadonlyArray<Sent>) => [...sent].reverse(), ["replayed", "unauthentic"]],
      ["in disorder, and all of it twice", (sent: ReadonlyArray<Sent>) => Attacker.reordered([...sent, ...sent]), [
        "replayed",
        "unauthentic"
      ]],
      [
        "one multicast, a thousand times",
        (sent: ReadonlyArray<Sent>) => Array.from({ length: 1_000 }, () => Attacker.multicasts(sent)[50]),
        ["replayed"]
      ],
      [
        "one unicast, to all, a thousand times",
        (sent: ReadonlyArray<Sent>) => Array.from({ length: 1_000 }, () => Attacker.unicasts(sent)[50]),
        ["replayed", "unauthentic"]
      ]
    ] as const
  ) {
    it.effect(`${how}: changes nothing and is counted`, () =>
      Effect.gen(function*() {
        const { attacker, cluster, observer } = yield* Victims.start(301)
        yield* Victims.work(cluster, observer)
        const sent = replayed([...attacker.captured])
        yield* Victims.unharmed(cluster, observer, attacker.replay(sent), reasons)
      }).pipe(Effect.scoped))
  }

  it.effect("to another than it was for, a unicast as a multicast and the reverse: is not authentic", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(302)
      yield* Victims.work(cluster, observer)
      const sent = attacker.captured.slice(-200)
      const turned = sent.map((each) => ({ ...each, payload: recast(each.payload) }))
      const { refused } = yield* Victims.unharmed(cluster, observer, attacker.replay(turned), ["unauthentic"])
      assert.strictEqual(refused.unauthentic, 2 * turned.length)
    }).pipe(Effect.scoped))

  it.effect("to who sent it: is ignored", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(303)
      yield* Victims.work(cluster, observer)
      const sent = [...attacker.captured]
      const { refused } = yield* Victims.unharmed(cluster, observer, attacker.reflect(sent), [])
      assert.deepStrictEqual(refused, {})
    }).pipe(Effect.scoped))

  it.effect("while its members go on writing: nothing is lost by it", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(304)
      yield* Victims.work(cluster, observer)
      const session = attacker.captured.slice(-300)
      const attack = Effect.gen(function*() {
        for (let round = 0; round < 10; round++) {
          yield* attacker.replay(session)
          yield* Victims.work(cluster, observer, 20)
        }
      })
      yield* Victims.unharmed(cluster, observer, attack, ["replayed", "unauthentic"], { writes: true })
    }).pipe(Effect.scoped))
})

const recast = (payload: Uint8Array): Uint8Array =>
  Attacker.reheaded(payload, { unicast: Datagram.decodeHeader(payload)?.unicast !== true })

describe("what was captured, changed", () => {
  it.effect("cut at every length: is malformed or not authentic", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(311)
      yield* Victims.work(cluster, observer)
      const [multicast] = Attacker.multicasts(attacker.captured).slice(-1)
      const [unicast] = Attacker.unicasts(attacker.captured).slice(-1)
      const cut = [multicast, unicast].flatMap(({ payload }) => Attacker.truncations(payload))
      const attack = Effect.forEach(cut, (payload) => attacker.injectToAll(payload), { discard: true })
      const { refused } = yield* Victims.unharmed(cluster, observer, attack, ["malformed", "unauthentic"])
      // Its own is no business of the member that sent it.
      assert.isAtLeast(refused.malformed + refused.unauthentic, 2 * (cut.length - 2 * Datagram.headerBytes))
    }).pipe(Effect.scoped))

  it.effect("the header of one with the body of another: is not authentic", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(312)
      yield* Victims.work(cluster, observer)
      const sent = attacker.captured.slice(-60)
      const spliced = sent.flatMap((header, index) =>
        sent.slice(index + 1, index + 6).map((body) => Attacker.splice(header.payload, body.payload))
      )
      const attack = Effect.forEach(spliced, (payload) => attacker.injectToAll(payload), { discard: true })
      const { refused } = yield* Victims.unharmed(cluster, observer, attack, ["unauthentic"])
      assert.isAtLeast(refused.unauthentic, spliced.length)
    }).pipe(Effect.scoped))

  it.effect("every field and every bit of the header: is refused, each for its reason", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(313)
      yield* Victims.work(cluster, observer)
      const altered = [
        ...Attacker.alterations(Attacker.multicasts(attacker.captured).slice(-1)[0].payload),
        ...Attacker.alterations(Attacker.unicasts(attacker.captured).slice(-1)[0].payload)
      ]
      const attack = Effect.forEach(altered, (payload) => attacker.injectToAll(payload), { discard: true })
      yield* Victims.unharmed(cluster, observer, attack, [
        "malformed",
        "unauthentic",
        "foreign",
        "unsealed",
        // Of every id that is not known a key is derived, and not of more than a few a second.
        "throttled"
      ])
      assert.lengthOf(attacker.drawn, 0, "nobody is answered")
    }).pipe(Effect.scoped))
})

describe("a forgery under another key", () => {
  for (const [who, its] of [["an old key", oldKey], ["no key", undefined]] as const) {
    it.effect(`LEAVE, ACK and data in the names of members, with ${who}: change nothing`, () =>
      Effect.gen(function*() {
        const { attacker, cluster, observer } = yield* Victims.start(321)
        yield* Victims.work(cluster, observer)
        const attack = Effect.gen(function*() {
          for (const victim of cluster.nodes()) {
            const forger = Attacker.identity(victim.member.id, its)
            const [own] = attacker.captured.filter(({ from }) => from === victim.name).slice(-1)
            for (const receiver of cluster.nodes()) {
              const forged = [
                forger.control({ _tag: "LEAVE" }),
                forger.control({ _tag: "ACK", received: 9_999, settled: 9_999, credit: 1 }, receiver.member.id),
                forger.data(9_999, Attacker.put(victim.member.id, "forged", 2 ** 50))
              ]
              for (const payload of forged) {
                yield* attacker.inject(receiver.name, payload, victim.name)
                // And with a header that is in order.
                yield* attacker.inject(receiver.name, Attacker.inTheNameOf(own.payload, payload), victim.name)
              }
            }
          }
        })
        yield* Victims.unharmed(
          cluster,
          observer,
          attack,
          its === undefined ? ["unsealed"] : ["foreign", "unauthentic"]
        )
      }).pipe(Effect.scoped))
  }
})

describe("a recording of before all restarted", () => {
  it.effect("opens no session, draws at most a challenge per id and second, and changes nothing", () =>
    Effect.gen(function*() {
      const { attacker, cluster, observer } = yield* Victims.start(331)
      yield* Victims.work(cluster, observer)
      const names = cluster.nodes().map(({ name }) => name)
      for (const name of names) yield* cluster.kill(name)
      const recorded = [...attacker.captured]
      yield* cluster.advance("30 seconds")
      for (const name of names) (yield* cluster.join(name)).member.cache("n")
      yield* cluster.advance("3 seconds")
      yield* Victims.work(cluster, observer)
      const from = cluster.hub.counters().sent
      const attack = Effect.gen(function*() {
        for (let second = 0; second < 5; second++) {
          for (const { payload } of recorded) yield* attacker.injectToAll(payload, Attacker.address)
          yield* cluster.advance("1 second")
        }
      })
      yield* Victims.unharmed(cluster, observer, attack, ["untrusted", "unauthentic"])
      assert.isAbove(cluster.hub.counters().sent, from)
      Victims.answersAreSmall(attacker.drawn, recorded, { perSecondMax: 1 })
    }).pipe(Effect.scoped))
})
