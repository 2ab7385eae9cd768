/** What forged and old datagrams may not do to the keys and epochs that a member keeps. */
import { assert, describe, it } from "@effect/vitest"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as Sealing from "../../src/services/Sealing.ts"

const ada = "a".repeat(32)
const bob = "b".repeat(32)
const key = new Uint8Array(32).fill(1)
const body = new TextEncoder().encode("body")
const day = 25 * 3_600_000

const setup = (derivationsPerSecondMax = 10_000) => {
  const clock = { millis: 0 }
  const make = (self: string): Sealing.Sealing =>
    Sealing.make({ self, cluster: "shop", keys: [key], nowMillis: () => clock.millis, derivationsPerSecondMax })
  return { clock, make }
}

const open = (sealing: Sealing.Sealing, datagram: Uint8Array): Uint8Array | string => {
  const header = Datagram.decodeHeader(datagram)
  return header === undefined ? "malformed" : sealing.open(datagram, header)
}

/** A datagram of another epoch than its sender's, as one without the key would make it. */
const forged = (datagram: Uint8Array, epoch: number): Uint8Array => {
  const bytes = datagram.slice()
  new DataView(bytes.buffer).setUint32(24, epoch)
  return bytes
}

describe("epochs", () => {
  it("are not moved on by datagrams that are not authentic", () => {
    const { clock, make } = setup()
    const [from, to] = [make(ada), make(bob)]
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    to.trust(ada)
    for (const epoch of [0, 2, 3, 2 ** 32 - 1]) {
      assert.strictEqual(open(to, forged(from.seal(body, undefined), epoch)), "unauthentic")
    }
    clock.millis = 60_000
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
  })

  it("of a trusted sender go on, and a joiner is heard, while a flood takes all derivations", () => {
    const { clock, make } = setup(2)
    const [from, to] = [make(ada), make(bob)]
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    to.trust(ada)
    clock.millis = day
    const flood = (sender: string): void => {
      for (let datagram = 0; datagram < 10; datagram++) open(to, forged(make(sender).seal(body, undefined), 7))
    }
    flood("c".repeat(32))
    assert.strictEqual(open(to, make("d".repeat(32)).seal(body, undefined)), "throttled")
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    // The next epoch forged in a trusted sender's name takes none from strangers.
    clock.millis += 2_000
    for (let datagram = 0; datagram < 10; datagram++) {
      assert.strictEqual(open(to, forged(from.seal(body, undefined), 3)), "unauthentic")
    }
    assert.deepEqual(open(to, make("d".repeat(32)).seal(body, undefined)), body)
  })

  it("only the former one is accepted for a moment, none before it", () => {
    const { clock, make } = setup()
    const [from, to] = [make(ada), make(bob)]
    const first = [from.seal(body, undefined), from.seal(body, undefined)]
    assert.deepEqual(open(to, first[0]), body)
    to.trust(ada)
    clock.millis = day
    const second = [from.seal(body, undefined), from.seal(body, undefined)]
    assert.deepEqual(open(to, second[0]), body)
    clock.millis = 2 * day
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    assert.deepEqual(open(to, second[1]), body)
    assert.strictEqual(open(to, first[1]), "unauthentic")
  })

  it("of a former one a datagram that comes late does not bring it back", () => {
    const { clock, make } = setup()
    const [from, to] = [make(ada), make(bob)]
    const former = from.seal(body, undefined)
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    clock.millis = day
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
    clock.millis = day + 10_000
    assert.deepEqual(open(to, former), body)
    clock.millis = day + 10_001
    assert.strictEqual(open(to, former), "unauthentic")
    assert.deepEqual(open(to, from.seal(body, undefined)), body)
  })
})

describe("keys of senders", () => {
  it("are kept of 1,024 strangers at most, the oldest goes, and of those who are trusted always", () => {
    const { make } = setup(1_026)
    const to = make(bob)
    const friend = make(ada)
    assert.deepEqual(open(to, friend.seal(body, undefined)), body)
    to.trust(ada)
    const strangers = Array.from({ length: 1_025 }, (_, index) => make(index.toString(16).padStart(32, "0")))
    for (const stranger of strangers) assert.deepEqual(open(to, stranger.seal(body, undefined)), body)
    // All derivations of this second are spent: whose key is not kept is throttled.
    assert.strictEqual(open(to, strangers[0].seal(body, undefined)), "throttled")
    assert.deepEqual(open(to, strangers[1].seal(body, undefined)), body)
    assert.deepEqual(open(to, friend.seal(body, undefined)), body)
    to.forget(ada)
    assert.strictEqual(open(to, friend.seal(body, undefined)), "throttled")
  })

  it("a datagram too short for its tag or its checksum is malformed", () => {
    const header = new Uint8Array(64)
    for (const keys of [[key], []]) {
      const to = Sealing.make({ self: bob, cluster: "c", keys, nowMillis: () => 0, derivationsPerSecondMax: 10 })
      const from = Sealing.make({ self: ada, cluster: "c", keys, nowMillis: () => 0, derivationsPerSecondMax: 10 })
      header.set(from.seal(new Uint8Array(0), undefined).subarray(0, Datagram.headerBytes))
      assert.strictEqual(open(to, header.subarray(0, to.overheadBytes - 1)), "malformed")
      assert.strictEqual(open(to, header.subarray(0, to.overheadBytes)), "unauthentic")
    }
  })
})
