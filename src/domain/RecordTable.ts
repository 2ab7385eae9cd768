/**
 * Records by key, in the order of a `Map`. What a lookup reads (whether the entry is fresh, its decoded value) and writes (when
 * it was) lies side by side in arrays, at the record's slot: in a large cache each object that a lookup would touch is an access to
 * memory, and one to the tables by which the processor finds it, 150 ns with 100,000 entries.
 *
 * Guaranteed: a record has one slot while it is here, and what is at the slot is its own.
 */
import type { Key } from "./Key.ts"
import type { Entry, Record } from "./Record.ts"
import * as Stamp from "./Stamp.ts"

/** Stands for a decoded value until the value is first read. */
export const notDecoded: unique symbol = Symbol.for("mccache/notDecoded")

/** Times that lookups compare are in units of so many milliseconds since 2025: a small integer until 2094. */
const freshUnit = 1 / 1_024

/**
 * What expires no sooner than this after a glance at the clock has not expired. A glance lags by no more than a turn of the event
 * loop lasts, and whose turns last this long is nearly taken for dead by the others.
 */
export const glanceMarginMillis = 10_000

const never = 0x7fff_ffff
/** Before all times. */
const notFresh = -0x8000_0000

const freshTime = (unixMillis: number): number => ((unixMillis - Stamp.epochMillis) * freshUnit) | 0

const freshUntil = (expiresAt: number): number =>
  expiresAt === 0
    ? never
    : Math.min(never, Math.floor((expiresAt - glanceMarginMillis - Stamp.epochMillis) * freshUnit))

const slotsMin = 64

export class RecordTable {
  readonly #slots = new Map<Key, number>()
  #records: Array<Record | undefined> = []
  #decoded: Array<unknown> = []
  /** Until when what is here has surely not expired, whatever the clock says within `glanceMarginMillis`. */
  #freshUntil = new Int32Array(slotsMin)
  /** When it was looked up last, Unix milliseconds; 0 for never. */
  #lookedUpAt = new Float64Array(slotsMin)
  /** Slots that nothing has. */
  #free: Array<number> = []

  get size(): number {
    return this.#slots.size
  }

  get(key: Key): Record | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#records[slot]
  }

  /** The slot of a key, for those that read by it on the same turn. */
  slot(key: Key): number | undefined {
    return this.#slots.get(key)
  }

  at(slot: number): Record | undefined {
    return this.#records[slot]
  }

  keys(): IterableIterator<Key> {
    return this.#slots.keys()
  }

  /** Survives changes as iterating a `Map` does. */
  *values(): IterableIterator<Record> {
    for (const slot of this.#slots.values()) {
      const record = this.#records[slot]
      if (record !== undefined) yield record
    }
  }

  /** Puts a record in the place of what is here of its key. */
  set(record: Record): void {
    let slot = this.#slots.get(record.key)
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#grown()
      this.#slots.set(record.key, slot)
    }
    record.slot = slot
    this.#records[slot] = record
    if (record.kind === "entry") this.renew(record)
    else {
      this.#decoded[slot] = notDecoded
      this.#freshUntil[slot] = notFresh
    }
  }

  /** An entry here has another value: it is neither decoded nor looked up, and expires when it says. */
  renew({ expiresAt, slot }: Entry): void {
    this.#decoded[slot] = notDecoded
    this.#freshUntil[slot] = freshUntil(expiresAt)
    this.#lookedUpAt[slot] = 0
  }

  delete(key: Key): boolean {
    const slot = this.#slots.get(key)
    if (slot === undefined) return false
    this.#slots.delete(key)
    this.#records[slot] = undefined
    this.#decoded[slot] = notDecoded
    this.#free.push(slot)
    return true
  }

  clear(): void {
    this.#slots.clear()
    this.#records = []
    this.#decoded = []
    this.#freshUntil = new Int32Array(slotsMin)
    this.#lookedUpAt = new Float64Array(slotsMin)
    this.#free = []
  }

  /** Whether there is an entry that has surely not expired, by a time that may lag. */
  isFresh(slot: number, glancedMillis: number): boolean {
    return freshTime(glancedMillis) < this.#freshUntil[slot]
  }

  decoded(slot: number): unknown {
    return this.#decoded[slot]
  }

  /** Keeps the decoded value of an entry. */
  decode(slot: number, value: unknown): void {
    this.#decoded[slot] = value
  }

  lookUp(slot: number, nowMillis: number): void {
    this.#lookedUpAt[slot] = nowMillis
  }

  /** When an entry was looked up last, Unix milliseconds; `undefined` for never. Also of one that just left. */
  lookedUpAt({ slot }: Entry): number | undefined {
    const millis = this.#lookedUpAt[slot]
    return millis === 0 ? undefined : millis
  }

  #grown(): number {
    const slot = this.#records.length
    if (slot === this.#freshUntil.length) {
      const [freshUntil, lookedUpAt] = [new Int32Array(2 * slot), new Float64Array(2 * slot)]
      freshUntil.set(this.#freshUntil)
      lookedUpAt.set(this.#lookedUpAt)
      this.#freshUntil = freshUntil
      this.#lookedUpAt = lookedUpAt
    }
    this.#records.push(undefined)
    this.#decoded.push(notDecoded)
    return slot
  }
}
