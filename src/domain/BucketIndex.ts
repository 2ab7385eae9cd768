/**
 * Which keys are in which bucket, for listings. It is made when a listing is asked for, kept up to date while listings go on
 * being asked for, and dropped when none was for a while: between repairs it costs neither memory nor time.
 */
import * as Digest from "./Digest.ts"
import type { Key } from "./Key.ts"
import type { Record } from "./Record.ts"

const idleMillis = 5_000

export class BucketIndex {
  #keys: ReadonlyArray<Set<Key>> | undefined
  #usedMillis = 0

  /** A record is held from now on. */
  add(record: Record): void {
    if (this.#keys !== undefined) this.#keys[Digest.bucketOf(record.keyHash)].add(record.key)
  }

  /** Nothing is held of the record's key any more. */
  remove(record: Record): void {
    if (this.#keys !== undefined) this.#keys[Digest.bucketOf(record.keyHash)].delete(record.key)
  }

  drop(): void {
    this.#keys = undefined
  }

  /** Drops the index when it was not asked for a while. */
  rest(nowMillis: number): void {
    if (nowMillis - this.#usedMillis > idleMillis) this.drop()
  }

  /** The keys of a bucket: those of all records that are held, and perhaps of some that are not any more. */
  keysOf(bucket: number, records: ReadonlyMap<Key, Record>, nowMillis: number): ReadonlySet<Key> {
    this.#usedMillis = nowMillis
    if (this.#keys === undefined) {
      const keys = Array.from({ length: Digest.buckets }, () => new Set<Key>())
      for (const record of records.values()) keys[Digest.bucketOf(record.keyHash)].add(record.key)
      this.#keys = keys
    }
    return this.#keys[bucket]
  }
}
