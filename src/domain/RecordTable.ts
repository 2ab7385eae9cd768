/**
 * Records by key: entries in the order of a `Map`, and tombstones, which are in a `Map` of their own, so that iteration does not step
 * over them. A record does not change its kind: what takes its place is set after it was deleted.
 *
 * What a lookup reads (whether the entry is fresh, its decoded value) and writes (when it was) lies side by side in arrays, at the
 * record's slot: in a large cache each object that a lookup would touch is an access to memory, and one to the tables by which the
 * processor finds it, 150 ns with 100,000 entries.
 *
 * Guaranteed: a record has one slot while it is here, and what is at the slot is its own.
 */
import type { Key } from "./Key.ts"
import type { Entry, Record } from "./Record.ts"

/**
 * What expires no sooner than this after a glance at the clock has not expired. A glance lags by no more than a turn of the event
 * loop lasts, and whose turns last this long is nearly taken for dead by the others.
 */
export const glanceMarginMillis = 10_000

/** Until when an entry has surely not expired, by a time that may lag. */
const freshUntil = (expiresAt: number): number => expiresAt === 0 ? Infinity : expiresAt - glanceMarginMillis

const slotsMin = 64

export class RecordTable {
  readonly #entries = new Map<Key, number>()
  readonly #tombstones = new Map<Key, number>()
  #records: Array<Record | undefined> = []
  #decoded: Array<unknown> = []
  /**
   * Two Unix milliseconds a slot, side by side: until when what is there has surely not expired (`-Infinity`: it is no entry),
   * and when it was looked up last (0 for never).
   */
  #times = new Float64Array(2 * slotsMin)
  /** Slots that nothing has. */
  #free: Array<number> = []
  /** The key that was last asked for here, and its slot or -1 for none: a write asks several times, each an access to memory or two. */
  #lastKey: Key = ""
  #lastSlot = -1

  get size(): number {
    return this.#entries.size + this.#tombstones.size
  }

  get(key: Key): Record | undefined {
    const slot = this.#find(key)
    return slot < 0 ? undefined : this.#records[slot]
  }

  /** The slot of a key, or -1. */
  #find(key: Key): number {
    if (key === this.#lastKey) return this.#lastSlot
    this.#lastKey = key
    const slot = this.#entries.get(key)
    if (slot !== undefined) return this.#lastSlot = slot
    return this.#lastSlot = this.#tombstones.size === 0 ? -1 : this.#tombstones.get(key) ?? -1
  }

  /** The slot of a key's entry, for those that read by it on the same turn. */
  slot(key: Key): number | undefined {
    return this.#entries.get(key)
  }

  at(slot: number): Record | undefined {
    return this.#records[slot]
  }

  /** All entries. Survives changes as iterating a `Map` does. */
  *entries(): IterableIterator<Entry> {
    for (const slot of this.#entries.values()) {
      const record = this.#records[slot]
      if (record?.kind === "entry") yield record
    }
  }

  /** All records, the entries first. Survives changes, too. */
  *values(): IterableIterator<Record> {
    yield* this.entries()
    for (const slot of this.#tombstones.values()) {
      const record = this.#records[slot]
      if (record !== undefined) yield record
    }
  }

  /** Puts a record in the place of what is here of its key. */
  set(record: Record): void {
    let slot = this.#find(record.key)
    if (slot < 0) {
      slot = this.#free.pop() ?? this.#grown()
      this.#slots(record).set(record.key, slot)
      this.#lastSlot = slot
    }
    record.slot = slot
    this.#records[slot] = record
    if (record.kind === "entry") this.renew(record)
    else {
      this.#decoded[slot] = undefined
      this.#times[2 * slot] = -Infinity
    }
  }

  /** An entry here has another value: it is neither decoded nor looked up, and expires when it says. */
  renew({ expiresAt, slot }: Entry): void {
    this.#decoded[slot] = undefined
    this.#times[2 * slot] = freshUntil(expiresAt)
    this.#times[2 * slot + 1] = 0
  }

  /** Takes out a record that is here: by its slot, as to find its key would be more accesses to memory. */
  delete(record: Record): void {
    const { key, slot } = record
    this.#slots(record).delete(key)
    if (slot === this.#lastSlot) this.#lastSlot = -1
    this.#records[slot] = undefined
    this.#decoded[slot] = undefined
    this.#free.push(slot)
  }

  #slots({ kind }: Record): Map<Key, number> {
    return kind === "entry" ? this.#entries : this.#tombstones
  }

  clear(): void {
    this.#entries.clear()
    this.#tombstones.clear()
    this.#lastSlot = -1
    this.#records = []
    this.#decoded = []
    this.#times = new Float64Array(2 * slotsMin)
    this.#free = []
  }

  /** Whether there is an entry that has surely not expired, by a time that may lag. */
  isFresh(slot: number, glancedMillis: number): boolean {
    return glancedMillis < this.#times[2 * slot]
  }

  /**
   * The value, decoded; `undefined` until it is first read, and of one that is `undefined`. With anything else for that, V8 would
   * have to look at the value to know whether it is that: another access to memory for each lookup.
   */
  decoded(slot: number): unknown {
    return this.#decoded[slot]
  }

  /** Keeps the decoded value of an entry. */
  decode(slot: number, value: unknown): void {
    this.#decoded[slot] = value
  }

  lookUp(slot: number, nowMillis: number): void {
    this.#times[2 * slot + 1] = nowMillis
  }

  /** When an entry was looked up last, Unix milliseconds; `undefined` for never. Also of one that just left. */
  lookedUpAt({ slot }: Entry): number | undefined {
    const millis = this.#times[2 * slot + 1]
    return millis === 0 ? undefined : millis
  }

  #grown(): number {
    const slot = this.#records.length
    if (2 * slot === this.#times.length) {
      const times = new Float64Array(4 * slot)
      times.set(this.#times)
      this.#times = times
    }
    this.#records.push(undefined)
    this.#decoded.push(undefined)
    return slot
  }
}
