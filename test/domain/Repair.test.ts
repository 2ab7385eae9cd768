/** What a taker makes of a donor that is wrong or lies. */
import { assert, describe, it } from "@effect/vitest"
import * as Repair from "../../src/domain/Repair.ts"
import * as Replica from "../../src/domain/Replica.ts"
import { a, b, clockAt, make, put, t0 } from "./support/Replicas.ts"

describe("a donor that holds nothing", () => {
  const line = clockAt(0)
  /** It held something, forgot it, and was cleared before. */
  const donor = () => {
    const { replica } = make()
    replica.floor = line - 1
    replica.forget = line
    return replica
  }

  it("sends no hashes, and its floor and forget line are taken all the same", () => {
    const digest = Repair.digest(donor(), t0)
    assert.deepStrictEqual({ count: digest.count, hashes: digest.hashes }, { count: 0, hashes: [] })
    const { replica } = make()
    const repair = Repair.start(replica, "join")
    assert.deepStrictEqual(Repair.onDigest(repair, digest, t0), { _tag: "Buckets", buckets: [] })
    assert.strictEqual(replica.floor, line - 1)
    // Until the end its line holds for local stamps and for the keys of all buckets.
    assert.isAbove(Replica.stamp(replica, t0 - 60_000), line)
    assert.strictEqual(Replica.apply(replica, put("late", line, b), t0), "forgotten")
    assert.isTrue(Repair.finish(repair, t0))
    assert.strictEqual(replica.forget, line)
  })

  it("is asked for the buckets of what is held here, and what it forgot goes", () => {
    const { replica } = make()
    for (const [key, clock] of [["old", line], ["new", line + 1]] as const) {
      assert.strictEqual(Replica.apply(replica, put(key, clock, a), t0), "stored")
    }
    const repair = Repair.start(replica, "repair")
    const next = Repair.onDigest(repair, Repair.digest(donor(), t0), t0)
    const buckets = next._tag === "Buckets" ? next.buckets : []
    assert.lengthOf(buckets, 2)
    for (const bucket of buckets) {
      assert.deepStrictEqual(Repair.onListing(repair, Repair.listing(donor(), bucket, t0), t0), [])
    }
    assert.isTrue(Repair.finish(repair, t0))
    assert.deepStrictEqual(Array.from(replica.records.values(), ({ key }) => key), ["new"])
  })

  it("that says so of less than all buckets says nothing", () => {
    for (const [count, hashes] of [[1, []], [0, [0, 0]], [0, Array.from({ length: 511 }, () => 0)]] as const) {
      const { replica } = make()
      const repair = Repair.start(replica, "join")
      Repair.onDigest(repair, { quantum: 0, floor: line, forget: line, count, hashes }, t0)
      assert.strictEqual(replica.floor, 0)
      assert.isFalse(Repair.finish(repair, t0), "nothing was compared")
    }
  })
})

describe("a listing of a value that is larger than the taker's cache", () => {
  const listing = (clock: number): Repair.Listing => ({
    bucket: 0,
    floor: 0,
    forget: 0,
    items: [{ key: "k", clock, writer: b, kind: 0, bytes: 2_000_000 }]
  })

  it("makes what it replaces go", () => {
    const { replica } = make()
    Replica.apply(replica, put("k", clockAt(0), a), t0)
    const repair = Repair.start(replica, "repair")
    Repair.onListing(repair, listing(clockAt(1)), t0 + 1)
    assert.isUndefined(Replica.record(replica, "k"))
    // An older copy of it that arrives in between is stored, and goes with the end.
    Replica.apply(replica, { ...put("k", clockAt(0) + 1, a), origin: "remote" }, t0 + 1)
    assert.isTrue(Repair.finish(repair, t0 + 1))
    assert.isUndefined(Replica.record(replica, "k"))
    assert.strictEqual(replica.forget, clockAt(1))
  })

  it("does not keep out what is older and was to come", () => {
    const theirs = make({ cacheMax: 2_000, cacheSizeBytes: 2 ** 23 }).replica
    for (let n = 0; n < 1_000; n++) Replica.apply(theirs, put(`k${n}`, clockAt(0) + n, a), t0)
    const large = { ...put("large", clockAt(1), a), value: new Uint8Array(20_000) }
    Replica.apply(theirs, large, t0 + 1)
    const { replica } = make({ cacheMax: 2_000, cacheSizeBytes: 10_000 })
    const repair = Repair.start(replica, "join")
    const next = Repair.onDigest(repair, Repair.digest(theirs, t0 + 1), t0 + 1)
    for (const bucket of next._tag === "Buckets" ? next.buckets : []) {
      const wanted = Repair.onListing(repair, Repair.listing(theirs, bucket, t0 + 1), t0 + 1)
      Repair.onCopies(repair, Repair.copies(theirs, wanted.map(({ key }) => key), t0 + 1), t0 + 1)
    }
    assert.isTrue(Repair.finish(repair, t0 + 1))
    assert.strictEqual(replica.records.size, 1_000)
    assert.isAtLeast(replica.forget, clockAt(1))
  })

  it("is refused when its stamp is too far ahead: it would drag the forget line along, and the clock with it", () => {
    for (const clock of [clockAt(60_000), Number.MAX_SAFE_INTEGER]) {
      const { replica } = make()
      Replica.apply(replica, put("k", clockAt(0), a), t0)
      const repair = Repair.start(replica, "repair")
      Repair.onListing(repair, listing(clock), t0 + 1)
      assert.isDefined(Replica.record(replica, "k"))
      assert.strictEqual(replica.forget, 0)
      assert.isBelow(Replica.stamp(replica, t0 + 1), clockAt(1_000))
      assert.isFalse(Repair.finish(repair, t0 + 2), "something was refused: nothing may be concluded")
    }
  })
})
