/** Sealed and unsealed datagrams: what is accepted, and that nothing else is. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Datagram from "../../src/domain/Datagram.ts"
import { Slab } from "../../src/domain/Slab.ts"
import * as Sealing from "../../src/services/Sealing.ts"

const ada = "a".repeat(32)
const bob = "b".repeat(32)
const cyd = "c".repeat(32)
const key = new Uint8Array(32).fill(1)
const otherKey = new Uint8Array(32).fill(2)
const body = new TextEncoder().encode("what nobody else may read")

const make = (
  self: string,
  keys: ReadonlyArray<Uint8Array>,
  more: { cluster?: string; nowMillis?: () => number } = {}
) => Sealing.make({ self, cluster: "shop", keys, nowMillis: () => 0, derivationsPerSecondMax: 200, ...more })

const open = (sealing: Sealing.Sealing, datagram: Uint8Array): Uint8Array | string => {
  const header = Datagram.decodeHeader(datagram)
  return header === undefined ? "malformed" : sealing.open(datagram, header)
}

for (const [name, keys] of [["sealed", [key]], ["not sealed", []]] as const) {
  describe(`a datagram that is ${name}`, () => {
    it("opens at every member of the cluster, and a unicast only at its receiver", () => {
      const [from, to, other] = [make(ada, keys), make(bob, keys), make(cyd, keys)]
      const multicast = from.seal(body, undefined)
      assert.deepEqual(open(to, multicast), body)
      assert.deepEqual(open(other, multicast), body)
      const unicast = from.seal(body, bob)
      assert.deepEqual(open(to, unicast), body)
      assert.strictEqual(open(other, unicast), "unauthentic")
      assert.strictEqual(multicast.length, body.length + from.overheadBytes)
    })

    it("is the same when it is made where its body lies, which stays what it was, as do its neighbours", () => {
      const [copying, inPlace, to] = [make(ada, keys), make(ada, keys), make(bob, keys)]
      const slab = new Slab()
      const contents = Array.from({ length: 300 }, (_, index) => new Uint8Array(7 * index).fill(index))
      const bodies = contents.map((content) => {
        const piece = slab.take(content.length, Sealing.margins)
        piece.set(content)
        return piece
      })
      const datagrams = bodies.map((piece) => inPlace.sealInPlace(piece))
      for (const [index, datagram] of datagrams.entries()) {
        assert.deepEqual(datagram, copying.seal(contents[index], undefined))
        assert.deepEqual(open(to, datagram), contents[index])
        assert.deepEqual(bodies[index], contents[index])
      }
      // A repeat has a counter of its own, and leaves the first one as it is.
      const repeated = inPlace.seal(bodies[9], undefined)
      assert.deepEqual(open(to, repeated), contents[9])
      assert.notDeepEqual(repeated, datagrams[9])
      assert.deepEqual(open(to, datagrams[9]), contents[9])
    })

    it("with any bit flipped, or cut off, does not open", () => {
      const [from, to] = [make(ada, keys), make(bob, keys)]
      for (const datagram of [from.seal(body, undefined), from.seal(body, bob)]) {
        for (let bit = 0; bit < datagram.length * 8; bit++) {
          const flipped = datagram.slice()
          flipped[bit >> 3] ^= 1 << (bit & 7)
          assert.isString(open(to, flipped), `bit ${bit}`)
        }
        for (let length = 0; length < datagram.length; length++) {
          assert.isString(open(to, datagram.subarray(0, length)), `${length} bytes`)
        }
      }
    })

    it("of another cluster is foreign", () => {
      assert.strictEqual(open(make(bob, keys, { cluster: "other" }), make(ada, keys).seal(body, undefined)), "foreign")
    })
  })
}

describe("keys", () => {
  it("another key is foreign; sealed and unsealed do not mix", () => {
    const sealed = make(ada, [key]).seal(body, undefined)
    assert.strictEqual(open(make(bob, [otherKey]), sealed), "foreign")
    assert.strictEqual(open(make(bob, []), sealed), "unsealed")
    assert.strictEqual(open(make(bob, [key]), make(ada, []).seal(body, undefined)), "unsealed")
  })

  it("of several the first seals and all open, and each counts what it opened", () => {
    const to = make(bob, [otherKey, key])
    assert.deepEqual(open(to, make(ada, [key]).seal(body, undefined)), body)
    assert.deepEqual(open(make(cyd, [otherKey]), to.seal(body, undefined)), body)
    assert.deepStrictEqual([...to.opened.values()], [0, 1])
  })

  it("the body is not in the datagram in clear when it is sealed", () => {
    assert.isTrue(Buffer.from(make(ada, []).seal(body, undefined)).includes(Buffer.from(body)))
    assert.isFalse(Buffer.from(make(ada, [key]).seal(body, undefined)).includes(Buffer.from(body)))
  })

  it("unknown senders cost no more derivations a second than they may; trusted ones are not concerned", () => {
    let now = 0
    const to = Sealing.make({
      self: bob,
      cluster: "shop",
      keys: [key],
      nowMillis: () => now,
      derivationsPerSecondMax: 10
    })
    const friend = make(cyd, [key])
    assert.deepEqual(open(to, friend.seal(body, undefined)), body)
    to.trust(cyd)
    let throttled = 0
    for (let each = 0; each < 50; each++) {
      const stranger = make(each.toString(16).padStart(32, "0"), [key])
      if (open(to, stranger.seal(body, undefined)) === "throttled") throttled++
    }
    assert.strictEqual(throttled, 41)
    assert.deepEqual(open(to, friend.seal(body, undefined)), body)
    now = 1_000
    assert.deepEqual(open(to, make("e".repeat(32), [key]).seal(body, undefined)), body)
  })
})

describe("nonces", () => {
  it("no sender, epoch, cast and counter is used twice, also across epochs", () => {
    let now = 0
    const from = make(ada, [key], { nowMillis: () => now })
    const seen = new Set<string>()
    for (let index = 0; index < 2_000; index++) {
      if (index % 500 === 499) now += 25 * 3_600_000
      const header = Datagram.decodeHeader(from.seal(body, index % 3 === 0 ? bob : undefined)) ??
        assert.fail("a header")
      const nonce = `${header.epoch}/${header.unicast}/${header.counter}`
      assert.isFalse(seen.has(nonce))
      seen.add(nonce)
    }
    assert.strictEqual(from.counters().epoch, 5)
  })

  it("a former epoch opens for a moment after a newer one, and never again", () => {
    let now = 0
    const from = make(ada, [key], { nowMillis: () => now })
    const to = make(bob, [key], { nowMillis: () => now })
    const before = [from.seal(body, undefined), from.seal(body, undefined), from.seal(body, undefined)]
    assert.deepEqual(open(to, before[0]), body)
    to.trust(ada)
    now = 25 * 3_600_000
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    assert.deepEqual(open(to, before[1]), body)
    now += 10_001
    assert.strictEqual(open(to, before[2]), "unauthentic")
  })
})

describe("the bytes of a datagram", () => {
  // The wire is a promise: a change here is a new version of the protocol.
  const golden: { readonly [name: string]: string } = JSON.parse(
    readFileSync(new URL("../fixtures/wire/datagrams.json", import.meta.url), "utf8")
  )

  for (
    const [name, keys, receiver] of [
      ["sealed multicast", [key], undefined],
      ["sealed unicast", [key], bob],
      ["unsealed multicast", [], undefined],
      ["unsealed unicast", [], bob]
    ] as const
  ) {
    it(`${name}: the first of a sender is the fixture, and the fixture opens`, () => {
      assert.strictEqual(Buffer.from(make(ada, keys).seal(body, receiver)).toString("hex"), golden[name])
      assert.deepEqual(open(make(bob, keys), Buffer.from(golden[name], "hex")), body)
    })
  }
})
