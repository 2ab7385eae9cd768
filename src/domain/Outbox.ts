/**
 * The conflating outbox: which keys changed here and were not sent yet. It holds keys, not values: the value is read when
 * it is sent, so that under overload intermediate values are skipped and memory is bounded by the number of keys.
 *
 * Guarantees: a key is held at most once and keeps its place; places are given out in order, so that everything that was
 * added before a barrier has left when `oldest` exceeds it. What exceeds `keysMax` empties the outbox: the sender then
 * tells its peers to repair from it.
 */
import type { Key } from "./Key.ts"
import type { Record } from "./Record.ts"

/** Counts places over all namespaces of a member. */
export interface Places {
  last: number
}

/** The front of the queue is given back when so much of it was taken. */
const takenMin = 1_024

export class Outbox {
  readonly #places: Places
  readonly #keysMax: number
  /** The keys that wait, in order from `#front` on, and their places; keys leave by the front only, or all at once. */
  #queue: Array<Key> = []
  #queuePlaces: Array<number> = []
  /** What was held of the keys when they were added: as long as it is held, nobody needs to look it up. */
  #queueRecords: Array<Record | undefined> = []
  #front = 0
  readonly #waiting = new Set<Key>()
  /** The newest clear not sent yet: its stamp's clock, or 0. */
  #clear = 0
  #clearPlace = 0
  /** How often it overflowed. */
  overflows = 0

  constructor(places: Places, keysMax: number) {
    this.#places = places
    this.#keysMax = keysMax
  }

  /** Adds a key, of which this is held now; false when the outbox overflowed and was emptied. */
  add(key: Key, record?: Record): boolean {
    const { size } = this.#waiting
    if (this.#waiting.add(key).size === size) return true
    if (size >= this.#keysMax) {
      this.drop()
      this.overflows++
      return false
    }
    this.#queue.push(key)
    this.#queuePlaces.push(++this.#places.last)
    this.#queueRecords.push(record)
    return true
  }

  /** A clear supersedes an earlier one, and takes its place. */
  addClear(clock: number): void {
    if (this.#clear === 0) this.#clearPlace = ++this.#places.last
    this.#clear = clock
  }

  has(key: Key): boolean {
    return this.#waiting.has(key)
  }

  drop(): void {
    this.#waiting.clear()
    this.#queue = []
    this.#queuePlaces = []
    this.#queueRecords = []
    this.#front = 0
    this.#clear = 0
  }

  get size(): number {
    return this.#waiting.size + (this.#clear === 0 ? 0 : 1)
  }

  /** The place of the next thing to send; `Infinity` when empty. */
  oldest(): number {
    const place = this.#front === this.#queue.length ? Infinity : this.#queuePlaces[this.#front]
    return this.#clear === 0 ? place : Math.min(place, this.#clearPlace)
  }

  /** The clear to send, which stays, in its place, until it is taken. 0 when there is none. */
  peekClear(): number {
    return this.#clear
  }

  /** The clear to send, before any key: what it removes needs not be sent. 0 when there is none. */
  takeClear(): number {
    const clear = this.#clear
    this.#clear = 0
    return clear
  }

  /** The next key, which stays until `taken`. */
  peek(): Key | undefined {
    return this.#front === this.#queue.length ? undefined : this.#queue[this.#front]
  }

  /** What is held of the next key, if that is what was when it was added. */
  peekRecord(): Record | undefined {
    const record = this.#front === this.#queue.length ? undefined : this.#queueRecords[this.#front]
    return record?.held === true ? record : undefined
  }

  /** Removes the key that `peek` gives. */
  taken(): void {
    if (this.#front === this.#queue.length) return
    this.#waiting.delete(this.#queue[this.#front])
    this.#queueRecords[this.#front++] = undefined
    if (this.#front >= takenMin && 2 * this.#front >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#front)
      this.#queuePlaces = this.#queuePlaces.slice(this.#front)
      this.#queueRecords = this.#queueRecords.slice(this.#front)
      this.#front = 0
    }
  }
}
