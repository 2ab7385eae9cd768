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
    assert.deepStrictEqual([...replica.records.keys()], ["new"])
  })

  it("that says so of less than all buckets says nothing", () => {
    for (const [count, hashes] of [[1, []], [0, [0, 0]], [0, Array.from({ length: 511 }, () => 0)]] as const) {
      const { replica } = make()
      const repair = Repair.start(replica, "join")
      Repair.onDigest(repair, { quantum: 0, floor: line, forget: line, count, hashes }, t0)
      assert.strictEqual(replica.floor, 0)
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
    assert.strictEqual(replica.forget, clockAt(1))
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
