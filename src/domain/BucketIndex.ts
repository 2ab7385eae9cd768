/**
 * Which records are in which bucket, for listings. It is made when a listing is asked for, kept up to date while listings go on
 * being asked for, and dropped when none was for a while: between repairs it costs neither memory nor time. It holds the records
 * and not their keys, as in a large replica each look at the map is one at memory that no cache of the processor holds.
 */
import * as Digest from "./Digest.ts"
import type { Record } from "./Record.ts"

const idleMillis = 5_000

export class BucketIndex {
  #records: ReadonlyArray<Set<Record>> | undefined
  #usedMillis = 0

  /** The record is held from now on. */
  add(record: Record): void {
    if (this.#records !== undefined) this.#records[Digest.bucketOf(record.keyHash)].add(record)
  }

  /** The record is not held any more. */
  remove(record: Record): void {
    if (this.#records !== undefined) this.#records[Digest.bucketOf(record.keyHash)].delete(record)
  }

  drop(): void {
    this.#records = undefined
  }

  /** Drops the index when it was not asked for a while. */
  rest(nowMillis: number): void {
    if (nowMillis - this.#usedMillis > idleMillis) this.drop()
  }

  /** The records of a bucket that are held. */
  recordsOf(
    bucket: number,
    records: { readonly values: () => Iterable<Record> },
    nowMillis: number
  ): ReadonlySet<Record> {
    this.#usedMillis = nowMillis
    if (this.#records === undefined) {
      const buckets = Array.from({ length: Digest.buckets }, () => new Set<Record>())
      for (const record of records.values()) buckets[Digest.bucketOf(record.keyHash)].add(record)
      this.#records = buckets
    }
    return this.#records[bucket]
  }
}
