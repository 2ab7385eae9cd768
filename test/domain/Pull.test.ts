/** Answers of any size, read piece by piece over a link that loses and repeats. */
import { assert, describe, it } from "@effect/vitest"
import * as Pull from "../../src/domain/Pull.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const pieceBytes = 100

describe("an answer", () => {
  it("of any size arrives as it is, whatever is lost or repeated on the way", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = mulberry32(seed)
      const loss = random() * 0.5
      const reply = Uint8Array.from({ length: Math.floor(random() ** 3 * 20_000) }, () => Math.floor(random() * 256))
      const server = Pull.makeServer({})
      const client = Pull.makeClient({})
      Pull.put(server, "taker", 1, reply, 0)
      Pull.start(client, 1, 0)
      let whole: Uint8Array | undefined
      const deliver = (offset: number, count: number, now: number): void => {
        for (const piece of Pull.slice(server, "taker", 1, offset, count, pieceBytes, now) ?? []) {
          for (let copies = random() < 0.1 ? 2 : 1; copies > 0; copies--) {
            if (random() < loss) continue
            whole = Pull.onPiece(client, 1, piece.total, piece.offset, piece.bytes, piece.crc, now) ?? whole
          }
        }
      }
      deliver(0, 32, 0)
      for (let now = 1; now < 60_000 && whole === undefined; now++) {
        const { asks, failed } = Pull.onDue(client, now)
        assert.deepStrictEqual(failed, [], `seed ${seed}`)
        for (const ask of asks) {
          if (random() < loss) continue
          deliver(ask.begun ? ask.from : 0, ask.begun ? Math.ceil(ask.bytes / pieceBytes) : 32, now)
        }
      }
      assert.deepEqual(whole, reply, `seed ${seed}`)
    }
  })

  it("that does not come fails when its time is up, and asks no more", () => {
    const client = Pull.makeClient({ giveUpMillis: 1_000 })
    Pull.start(client, 1, 0)
    let [asks, failures] = [0, 0]
    for (let now = 0; now < 5_000; now++) {
      const due = Pull.onDue(client, now)
      asks += due.asks.length
      failures += due.failed.length
    }
    assert.strictEqual(failures, 1)
    assert.isAtMost(asks, 20)
    assert.strictEqual(Pull.nextDue(client), Infinity)
  })

  it("larger than what is taken, or made of pieces that do not belong together, is not believed", () => {
    const client = Pull.makeClient({ replyBytesMax: () => 1_000 })
    Pull.start(client, 1, 0)
    assert.isUndefined(Pull.onPiece(client, 1, 1_001, 0, new Uint8Array(1_001), 0, 0))
    assert.isUndefined(Pull.onPiece(client, 1, 10, 0, new Uint8Array(10), 12_345, 0), "a wrong checksum")
    assert.isUndefined(Pull.onPiece(client, 2, 1, 0, new Uint8Array(1), 0, 0), "never asked for")
  })
})

describe("answers kept", () => {
  it("are bounded in number and bytes, the oldest give way, and time lets go of the rest", () => {
    const server = Pull.makeServer({ repliesMax: 3, bytesMax: 100, keepMillis: 5_000 })
    for (let request = 1; request <= 5; request++) Pull.put(server, "a", request, new Uint8Array(30), 0)
    assert.deepStrictEqual([1, 2, 3, 4, 5].map((request) => Pull.has(server, "a", request, 0)), [
      false,
      false,
      true,
      true,
      true
    ])
    Pull.put(server, "a", 6, new Uint8Array(90), 0)
    assert.strictEqual(server.bytes, 90)
    // One that is larger than the bound alone is kept: it could never be answered otherwise.
    Pull.put(server, "a", 7, new Uint8Array(500), 0)
    assert.isTrue(Pull.has(server, "a", 7, 0))
    Pull.expire(server, 5_001)
    assert.strictEqual(server.bytes, 0)
    assert.isUndefined(Pull.slice(server, "a", 7, 0, 1, pieceBytes, 5_001))
  })
})
