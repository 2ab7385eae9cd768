/** The clear header, and the window in which each counter is accepted once. */
import { assert, describe, it } from "@effect/vitest"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as ReplayWindow from "../../src/domain/ReplayWindow.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

describe("the header", () => {
  const header: Datagram.Header = {
    sealed: true,
    unicast: true,
    keyId: 0xfedc_ba98,
    sender: "0123456789abcdef".repeat(2),
    epoch: 3,
    counter: 0x1234_5678_9abc
  }

  it("has these bytes, and no others", () => {
    const bytes = new Uint8Array(Datagram.headerBytes)
    Datagram.encodeHeader(bytes, header)
    assert.strictEqual(
      Buffer.from(bytes).toString("hex"),
      "4d63" + "01" + "03" + "fedcba98" + "0123456789abcdef0123456789abcdef" + "00000003" + "8000123456789abc"
    )
    assert.deepStrictEqual(Datagram.decodeHeader(bytes), header)
  })

  it("round-trips", () => {
    const random = mulberry32(1)
    for (let run = 0; run < 2_000; run++) {
      const made: Datagram.Header = {
        sealed: random() < 0.5,
        unicast: random() < 0.5,
        keyId: Math.floor(random() * 2 ** 32),
        sender: Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join(""),
        epoch: Math.floor(random() * 2 ** 32),
        counter: Math.floor(random() * Number.MAX_SAFE_INTEGER)
      }
      const bytes = new Uint8Array(40)
      Datagram.encodeHeader(bytes, made)
      assert.deepStrictEqual(Datagram.decodeHeader(bytes), made)
    }
  })

  it("is refused when short, of another version, with unknown flags, or with a cast that disagrees with the counter", () => {
    const bytes = new Uint8Array(Datagram.headerBytes)
    Datagram.encodeHeader(bytes, header)
    assert.isUndefined(Datagram.decodeHeader(bytes.subarray(0, 35)))
    for (const [at, value] of [[0, 0], [1, 0], [2, 2], [3, 7], [3, 1], [28, 0], [28, 0xff]]) {
      const changed = bytes.slice()
      changed[at] = value
      assert.isUndefined(Datagram.decodeHeader(changed), `byte ${at} = ${value}`)
    }
  })
})

describe("the replay window", () => {
  it("accepts each counter once, and none further back than its width: as a set would", () => {
    const random = mulberry32(2)
    for (const start of [0, 5_000, 2 ** 32 - 2_000, 2 ** 52]) {
      const window = ReplayWindow.make(start)
      const used = new Set<number>()
      let top = start
      for (let step = 0; step < 30_000; step++) {
        const leap = random()
        const counter = leap < 0.001
          ? top + Math.floor(random() * 10_000)
          : Math.max(0, top + Math.floor(random() * 200) - Math.floor(random() ** 3 * 5_000))
        // What was used before this window began cannot be known; the proof's counters tell its top.
        const fresh = counter > top || (top - counter < ReplayWindow.width && !used.has(counter))
        assert.strictEqual(ReplayWindow.check(window, counter), fresh, `${counter} with top ${top}`)
        if (!fresh) continue
        ReplayWindow.advance(window, counter)
        used.add(counter)
        top = Math.max(top, counter)
      }
    }
  })

  it("is exactly 4,096 wide", () => {
    const window = ReplayWindow.make(0)
    ReplayWindow.advance(window, 10_000)
    assert.isTrue(ReplayWindow.check(window, 10_000 - 4_095))
    assert.isFalse(ReplayWindow.check(window, 10_000 - 4_096))
    assert.isFalse(ReplayWindow.check(window, 10_000))
  })
})
