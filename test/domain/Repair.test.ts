/** What a taker makes of a donor that is wrong or lies. */
import { assert, describe, it } from "@effect/vitest"
import * as Repair from "../../src/domain/Repair.ts"
import * as Replica from "../../src/domain/Replica.ts"
import { a, b, clockAt, make, put, t0 } from "./support/Replicas.ts"

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
