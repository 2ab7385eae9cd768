/** Records by key, held against a `Map`, and what is beside them. */
import { assert, describe, it } from "@effect/vitest"
import { Entry, type Record, Tombstone } from "../../src/domain/Record.ts"
import { glanceMarginMillis, RecordTable } from "../../src/domain/RecordTable.ts"
import type { Put } from "../../src/domain/ReplicaEvent.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"
import { a, t0 } from "./support/Replicas.ts"

const day = 86_400_000

const put = (key: string, expiresAt: number): Put => ({
  _tag: "Put",
  key,
  clock: 1,
  writer: a,
  expiresAt,
  crc: 0,
  value: "",
  origin: "local"
})

const entry = (key: string, expiresAt = 0): Entry => new Entry(key, 1, put(key, expiresAt), "", t0)

describe("the record table", () => {
  it("is a Map of records, each with a slot of its own, over random uses", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = mulberry32(seed)
      const below = (limit: number): number => Math.floor(random() * limit)
      const table = new RecordTable()
      const model = new Map<string, Record>()
      const beside = new Map<string, { decoded: unknown; lookedUpAt: number | undefined }>()
      const keys = [5, 60, 400][below(3)]
      for (let step = 0; step < 2_000; step++) {
        const key = `k${below(keys)}`
        const held = model.get(key)
        const chance = random()
        if (chance < 0.4) {
          const record = random() < 0.8 ? entry(key) : new Tombstone(key, 1, 1, a, "delete", 0)
          if (held !== undefined && held.kind !== record.kind) {
            table.delete(held)
            model.delete(key)
          }
          table.set(record)
          model.set(key, record)
          beside.set(key, { decoded: undefined, lookedUpAt: undefined })
        } else if (chance < 0.5 && held?.kind === "entry") {
          table.renew(held)
          beside.set(key, { decoded: undefined, lookedUpAt: undefined })
        } else if (chance < 0.65 && held?.kind === "entry") {
          const [value, at] = [{ step }, t0 + step]
          table.decode(held.slot, value)
          table.lookUp(held.slot, at)
          beside.set(key, { decoded: value, lookedUpAt: at })
        } else if (chance < 0.9 && held !== undefined) {
          table.delete(held)
          model.delete(key)
        }
        if (chance >= 0.9 && chance < 0.901) {
          table.clear()
          model.clear()
        }
        const other = `k${below(keys)}`
        for (const asked of [key, key, other, key]) assert.strictEqual(table.get(asked), model.get(asked))
        const slot = table.slot(key)
        const now = model.get(key)
        assert.strictEqual(slot === undefined ? undefined : table.at(slot), now?.kind === "entry" ? now : undefined)
        assert.strictEqual(table.size, model.size)
        if (step % 50 > 0) continue
        const [entries, tombstones] = ["entry", "tombstone"].map((kind) =>
          [...model.values()].filter((record) => record.kind === kind)
        )
        const records = [...table.values()]
        assert.strictEqual(records.length, model.size)
        assert.isTrue([...entries, ...tombstones].every((record, index) => record === records[index]))
        assert.isTrue([...table.entries()].every((record, index) => record === entries[index]))
        assert.strictEqual(new Set(records.map((record) => record.slot)).size, records.length)
        for (const record of records) {
          if (record.kind === "tombstone") continue
          const expected = beside.get(String(record.key))
          assert.strictEqual(table.decoded(record.slot), expected?.decoded)
          assert.strictEqual(table.lookedUpAt(record), expected?.lookedUpAt)
        }
      }
    }
  })

  it("is iterated as a Map is while it changes", () => {
    const table = new RecordTable()
    const entries = ["a", "b", "c"].map((key) => entry(key))
    for (const each of entries) table.set(each)
    const seen: Array<unknown> = []
    for (const { key } of table.values()) {
      seen.push(key)
      if (key !== "a") continue
      for (const each of entries.slice(0, 2)) table.delete(each)
      // Takes the slot of one that was seen, or of one that was not.
      table.set(entry("d"))
    }
    assert.deepStrictEqual(seen, ["a", "c", "d"])
  })

  it("tells when one that just left was looked up, whatever tombstone took its place", () => {
    const table = new RecordTable()
    const subject = entry("a")
    table.set(subject)
    table.lookUp(subject.slot, t0)
    table.delete(subject)
    assert.strictEqual(table.lookedUpAt(subject), t0)
    table.set(new Tombstone("a", 1, 2, a, "delete", 0))
    assert.strictEqual(table.lookedUpAt(subject), t0)
    assert.isFalse(table.isFresh(subject.slot, t0))
  })

  it("has entries fresh only while their expiry is further away than a glance may lag", () => {
    const random = mulberry32(2)
    const table = new RecordTable()
    const isFresh = (expiresAt: number, now: number): boolean => {
      const subject = entry("a", expiresAt)
      table.set(subject)
      return table.isFresh(subject.slot, now)
    }
    let fresh = 0
    for (let run = 0; run < 10_000; run++) {
      const spread = run % 2 === 0 ? 60_000 : 365 * 40 * day
      const [expiresAt, now] = [t0 + Math.floor(random() * spread), t0 + Math.floor(random() * spread)]
      if (isFresh(expiresAt, now)) {
        fresh++
        assert.isAbove(expiresAt - now, 10_000)
      } else assert.isAtMost(expiresAt - now, glanceMarginMillis)
    }
    assert.isAbove(fresh, 1_000)
    assert.isTrue(isFresh(0, t0 + 365 * 60 * day))
  })
})
