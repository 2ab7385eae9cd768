/** Answers of any size, read piece by piece: a server and a reader over a link that a seed makes bad. */
import { assert, describe, it } from "@effect/vitest"
import { checksum } from "../../src/domain/Checksum.ts"
import * as Pull from "../../src/domain/Pull.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

const pieceBytes = 100

const bytesOf = (length: number, random: () => number): Uint8Array =>
  Uint8Array.from({ length }, () => Math.floor(random() * 256))

interface Transfer {
  readonly whole: Uint8Array | undefined
  readonly failed: boolean
  readonly millis: number
  readonly pieces: number
  /** The most that was on its way, or lost, at once: in pieces. */
  readonly askedMost: number
}

/** Asks for one answer over a link that loses, doubles and delays both ways, until it is there or given up. */
const transfer = (
  reply: Uint8Array,
  seed: number,
  { loss = 0, doubling = 0, delayMillis = 4, window = 32 } = {}
): Transfer => {
  const random = mulberry32(seed)
  const server = Pull.makeServer({})
  const client = Pull.makeClient({ windowPieces: window })
  const link: Array<{ readonly at: number; readonly arrive: () => void }> = []
  let now = 0
  let pieces = 0
  let whole: Uint8Array | undefined
  let failed = false
  let askedMost = 0
  const send = (arrive: () => void): void => {
    for (let copies = random() < doubling ? 2 : 1; copies > 0; copies--) {
      if (random() >= loss) link.push({ at: now + random() * delayMillis, arrive })
    }
  }
  const serve = (offset: number, count: number): void => {
    if (!Pull.has(server, "peer", 1, now)) Pull.put(server, "peer", 1, reply, now)
    const slice = Pull.slice(server, "peer", 1, offset, count, pieceBytes, now) ?? []
    askedMost = Math.max(askedMost, slice.length)
    for (const piece of slice) {
      pieces++
      send(() => {
        whole ??= Pull.onPiece(client, 1, piece.total, piece.offset, piece.bytes, piece.crc, now)
      })
    }
  }
  const request = (): void => send(() => serve(0, window))
  Pull.start(client, 1, now)
  request()
  while (whole === undefined && !failed && now < 600_000) {
    link.sort((x, y) => x.at - y.at)
    const next = Math.min(link[0]?.at ?? Infinity, Pull.nextDue(client))
    assert.isBelow(next, Infinity, `seed ${seed}: nothing is due, and nothing arrives`)
    now = Math.max(now, next)
    if ((link[0]?.at ?? Infinity) <= now) link.shift()?.arrive()
    const { asks, failed: gaveUp } = Pull.onDue(client, now)
    for (const ask of asks) {
      if (!ask.begun) request()
      else send(() => serve(ask.from, Math.ceil(ask.bytes / pieceBytes)))
    }
    failed = gaveUp.length > 0
  }
  return { whole, failed, millis: now, pieces, askedMost }
}

const sizes = [0, 1, 99, 100, 101, 200, 3_199, 3_200, 3_201, 20_000, 100_001]

describe("an answer", () => {
  it("of any size arrives whole, over a link that loses nothing, with each piece sent once", () => {
    const random = mulberry32(1)
    for (const size of sizes) {
      const reply = bytesOf(size, random)
      const { askedMost, millis, pieces, whole } = transfer(reply, size)
      assert.deepStrictEqual(whole, reply, `${size} bytes`)
      assert.strictEqual(pieces, Math.max(1, Math.ceil(size / pieceBytes)), `${size} bytes`)
      assert.isAtMost(askedMost, 32)
      // Each window takes a round trip at most; nothing waits for a time-out.
      assert.isAtMost(millis, 10 * Math.ceil(size / 1_600) + 10, `${size} bytes`)
    }
  })

  it("of any size arrives whole, or is given up, whatever is lost, doubled, delayed or reordered", () => {
    const random = mulberry32(2)
    let came = 0
    for (let seed = 1; seed <= 120; seed++) {
      const reply = bytesOf(sizes[seed % sizes.length], random)
      const options = {
        loss: random() * 0.4,
        doubling: random() * 0.3,
        delayMillis: 1 + random() * 80,
        window: [1, 4, 32][seed % 3]
      }
      const { askedMost, failed, pieces, whole } = transfer(reply, seed, options)
      assert.strictEqual(whole === undefined, failed, `seed ${seed}`)
      if (whole !== undefined) {
        came++
        assert.isTrue(Buffer.from(whole).equals(reply), `seed ${seed}`)
      }
      assert.isAtMost(askedMost, options.window, `seed ${seed}`)
      // What is asked for again is what is late: a small multiple of what there is.
      assert.isAtMost(pieces, 20 + 8 * Math.max(1, Math.ceil(reply.length / pieceBytes)), `seed ${seed}`)
    }
    assert.isAbove(came, 110)
  })

  it("is given up 5 s after the last piece came, and not while pieces come", () => {
    const client = Pull.makeClient({})
    Pull.start(client, 1, 0)
    let asks = 0
    let gaveUp = Infinity
    for (let due = Pull.nextDue(client); due < Infinity; due = Pull.nextDue(client)) {
      const { asks: now, failed } = Pull.onDue(client, due)
      asks += now.length
      assert.isTrue(now.every(({ begun }) => !begun))
      if (failed.length > 0) gaveUp = due
    }
    assert.isAtLeast(gaveUp, 5_000)
    assert.isAtMost(gaveUp, 5_500)
    // 50 ms, doubling to 500.
    assert.strictEqual(asks, 13)

    // One piece in four seconds is slow, but not dead.
    Pull.start(client, 2, 0)
    const reply = bytesOf(1_000, mulberry32(4))
    let whole: Uint8Array | undefined
    for (let index = 0; index < 10; index++) {
      const now = 4_000 * (index + 1)
      for (let due = Pull.nextDue(client); due <= now; due = Pull.nextDue(client)) {
        assert.deepStrictEqual(Pull.onDue(client, due).failed, [])
      }
      const bytes = reply.subarray(100 * index, 100 * index + 100)
      whole = Pull.onPiece(client, 2, 1_000, 100 * index, bytes, checksum(reply), now)
    }
    assert.deepStrictEqual(whole, reply)
    assert.strictEqual(Pull.nextDue(client), Infinity)
  })

  it("is not read on after it was cancelled", () => {
    const client = Pull.makeClient({})
    Pull.start(client, 1, 0)
    Pull.cancel(client, 1)
    assert.strictEqual(Pull.nextDue(client), Infinity)
    const bytes = Uint8Array.of(1)
    assert.isUndefined(Pull.onPiece(client, 1, 1, 0, bytes, checksum(bytes), 1))
  })

  it("is never put together of two: pieces of another are left aside", () => {
    let came = 0
    for (let seed = 1; seed <= 200; seed++) {
      const random = mulberry32(seed)
      const length = 150 + Math.floor(random() * 300)
      const [first, second] = [bytesOf(length, random), bytesOf(random() < 0.5 ? length : length + 1, random)]
      const client = Pull.makeClient({})
      Pull.start(client, 1, 0)
      let whole: Uint8Array | undefined
      for (let step = 0; step < 60 && whole === undefined; step++) {
        const reply = random() < 0.5 ? first : second
        const at = pieceBytes * Math.floor(random() * Math.ceil(reply.length / pieceBytes))
        // Now and then a piece that tells the checksum of the other.
        const crc = checksum(random() < 0.1 ? first : reply)
        whole = Pull.onPiece(client, 1, reply.length, at, reply.subarray(at, at + pieceBytes), crc, step)
      }
      if (whole === undefined) continue
      came++
      const equal = [first, second].some((reply) => Buffer.from(reply).equals(whole))
      assert.isTrue(equal, `seed ${seed}`)
    }
    assert.isAbove(came, 100)
  })

  it("that comes out wrong is asked for again from its beginning, at once", () => {
    const client = Pull.makeClient({})
    Pull.start(client, 1, 0)
    const [right, wrong] = [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4)]
    assert.isUndefined(Pull.onPiece(client, 1, 3, 0, wrong, checksum(right), 10))
    assert.deepStrictEqual(Pull.onDue(client, 10).asks, [{ request: 1, begun: false, from: 0, bytes: 0 }])
    assert.deepStrictEqual(Pull.onPiece(client, 1, 3, 0, right, checksum(right), 20), right)
  })
})

describe("what did not come in time", () => {
  /** Answers one request whole, sent once or more often. */
  const answer = (client: Pull.Client, request: number, now: number): void => {
    const bytes = Uint8Array.of(1)
    assert.deepStrictEqual(Pull.onPiece(client, request, 1, 0, bytes, checksum(bytes), now), bytes)
  }

  it("is given longer from then on, until something that was asked for once comes", () => {
    const client = Pull.makeClient({})
    // Eight that wait together count once.
    for (let request = 1; request <= 8; request++) Pull.start(client, request, request)
    for (let now = 51; now <= 58; now++) assert.lengthOf(Pull.onDue(client, now).asks, 1)
    assert.strictEqual(client.timeoutMillis, 100)
    // Karn: which of the two was answered cannot be told.
    answer(client, 1, 60)
    Pull.start(client, 9, 60)
    assert.isAbove(Pull.nextDue(client), 60)
    for (let request = 2; request <= 8; request++) answer(client, request, 60)
    assert.strictEqual(Pull.nextDue(client), 160)
    assert.lengthOf(Pull.onDue(client, 160).asks, 1)
    assert.strictEqual(client.timeoutMillis, 200)
    Pull.start(client, 10, 160)
    answer(client, 10, 170)
    // A round trip of 10 ms, its half for the deviation.
    assert.strictEqual(client.timeoutMillis, 30)
  })

  it("makes nobody ask a slow donor twice for long", () => {
    const client = Pull.makeClient({})
    let sent = 0
    let now = 0
    for (let request = 1; request <= 50; request++) {
      Pull.start(client, request, now)
      sent++
      const answered = now + 120
      for (let due = Pull.nextDue(client); due < answered; due = Pull.nextDue(client)) {
        sent += Pull.onDue(client, due).asks.length
      }
      answer(client, request, now = answered)
    }
    assert.isAtMost(sent, 55)
  })

  it("is no sign of that when a part of the answer came", () => {
    const client = Pull.makeClient({})
    Pull.start(client, 1, 0)
    const reply = bytesOf(1_000, mulberry32(6))
    Pull.onPiece(client, 1, 1_000, 0, reply.subarray(0, 100), checksum(reply), 10)
    const { timeoutMillis } = client
    for (let turn = 0; turn < 4; turn++) Pull.onDue(client, Pull.nextDue(client))
    assert.strictEqual(client.timeoutMillis, timeoutMillis)
  })
})

describe("the reader", () => {
  it("holds what arrived and no more, whatever size is announced", () => {
    const client = Pull.makeClient({ replyBytesMax: () => 2 ** 40 })
    Pull.start(client, 1, 0)
    // Allocating what is announced would fail.
    assert.isUndefined(Pull.onPiece(client, 1, 2 ** 40, 0, new Uint8Array(100), 1, 0))
    assert.strictEqual(client.readings.get(1)?.bytes, 100)
    const { asks } = Pull.onDue(client, 1_000)
    assert.isAtMost(asks.reduce((sum, { bytes }) => sum + bytes, 0), 32 * 100)
  })

  it("takes no tiny pieces, which take far more room than their bytes, but at the end", () => {
    const client = Pull.makeClient({ pieceBytesMin: 128 })
    const reply = bytesOf(201, mulberry32(5))
    const crc = checksum(reply)
    const piece = (from: number, to: number) => Pull.onPiece(client, 1, 201, from, reply.subarray(from, to), crc, 0)
    Pull.start(client, 1, 0)
    for (let at = 0; at < 200; at += 100) assert.isUndefined(piece(at, at + 100))
    assert.strictEqual(client.readings.get(1)?.bytes, 0)
    assert.isUndefined(piece(0, 200))
    assert.deepStrictEqual(piece(200, 201), reply)
  })

  it("takes nothing that exceeds the greatest answer, nothing that was not asked for, and nothing empty", () => {
    const client = Pull.makeClient({ replyBytesMax: () => 1_000 })
    const reply = bytesOf(300, mulberry32(5))
    const crc = checksum(reply)
    const piece = (at: number, bytes = reply.subarray(at, at + 100)) => Pull.onPiece(client, 1, 300, at, bytes, crc, 0)
    assert.isUndefined(piece(0))
    assert.strictEqual(client.readings.size, 0)
    Pull.start(client, 1, 0)
    assert.isUndefined(Pull.onPiece(client, 1, 1_001, 0, new Uint8Array(100), 1, 0))
    assert.isUndefined(piece(100, new Uint8Array(0)))
    assert.isUndefined(piece(0))
    // Neither something empty, nor what exceeds the end, nor what stands askew, keeps out what belongs there.
    assert.isUndefined(piece(100, new Uint8Array(0)))
    assert.isUndefined(piece(200, new Uint8Array(101)))
    assert.isUndefined(piece(150, new Uint8Array(100)))
    assert.strictEqual(client.readings.get(1)?.bytes, 100)
    assert.isUndefined(piece(200))
    assert.deepStrictEqual(piece(100), reply)
  })

  it("has at most a window under way, and asks for more with what arrives", () => {
    for (const window of [1, 2, 7, 32]) {
      const reply = bytesOf(20_050, mulberry32(window))
      const client = Pull.makeClient({ windowPieces: window })
      Pull.start(client, 1, 0)
      // What may arrive: the first window unasked, then what is asked for.
      const under: Array<number> = Array.from({ length: window }, (_, index) => index * 100)
      let whole: Uint8Array | undefined
      let now = 0
      for (let at = under.shift(); at !== undefined; at = under.shift()) {
        whole = Pull.onPiece(client, 1, reply.length, at, reply.subarray(at, at + 100), checksum(reply), ++now)
        for (const ask of Pull.onDue(client, now).asks) {
          for (let from = ask.from; from < ask.from + ask.bytes; from += 100) under.push(from)
        }
        assert.isAtMost(under.length, window)
        assert.isTrue(under.length > 0 || whole !== undefined, "it waits for nothing")
      }
      assert.deepStrictEqual(whole, reply)
    }
  })
})

describe("the server", () => {
  it("keeps answers within its bounds, the newest always, over random requests", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = mulberry32(seed)
      const server = Pull.makeServer({ repliesMax: 8, bytesMax: 1_000, keepMillis: 5_000 })
      const kept = new Map<number, { readonly reply: Uint8Array; used: number }>()
      let now = 0
      for (let step = 0; step < 200; step++) {
        now += random() * 400
        const request = Math.floor(random() * 30)
        const known = kept.get(request)
        if (random() < 0.5) {
          const reply = bytesOf(Math.floor(random() * (random() < 0.1 ? 2_000 : 250)), random)
          Pull.put(server, "peer", request, reply, now)
          kept.delete(request)
          for (const [name, one] of kept) if (now - one.used > 5_000) kept.delete(name)
          kept.set(request, { reply, used: now })
          const bytes = () => [...kept.values()].reduce((sum, one) => sum + one.reply.length, 0)
          for (const name of [...kept.keys()].slice(0, -1)) if (kept.size > 8 || bytes() > 1_000) kept.delete(name)
          assert.strictEqual(server.bytes, bytes(), `seed ${seed}`)
          assert.strictEqual(server.kept.size, kept.size, `seed ${seed}`)
        } else if (known !== undefined && now - known.used <= 5_000) {
          assert.isTrue(Pull.has(server, "peer", request, now), `seed ${seed}`)
          const offset = 100 * Math.floor(random() * 4)
          const slice = Pull.slice(server, "peer", request, offset, 2, 100, now) ?? assert.fail(`seed ${seed}`)
          known.used = now
          const bytes = Buffer.concat(slice.map((piece) => piece.bytes))
          assert.isTrue(bytes.equals(known.reply.subarray(offset, offset + 200)), `seed ${seed}`)
          for (const piece of slice) {
            assert.strictEqual(piece.total, known.reply.length)
            assert.strictEqual(piece.crc, checksum(known.reply))
          }
        } else {
          assert.isFalse(Pull.has(server, "peer", request, now), `seed ${seed}`)
          assert.isUndefined(Pull.slice(server, "peer", request, 0, 2, 100, now))
        }
        assert.isFalse(Pull.has(server, "other", request, now))
      }
    }
  })
})
