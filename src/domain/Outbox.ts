/**
 * The conflating outbox: which keys changed here and were not sent yet. It holds records, not values: the value is read when
 * it is sent, so that under overload intermediate values are skipped and memory is bounded by `keysMax`. That a key waits is
 * written on its record, and inherited by the record that takes its place: nothing needs to be looked up. When a record vanished,
 * its key may come to wait once more; then the later place counts.
 *
 * Guarantees: what waits keeps its place; places are given out in order, so that everything that was added before a barrier
 * has left when `oldest` exceeds it. What exceeds `keysMax` empties the outbox: the sender then tells its peers to repair from it.
 */
import type { Key } from "./Key.ts"
import type { Record } from "./Record.ts"

/** Counts places over all namespaces of a member. */
export interface Places {
  last: number
}

/** Stands for a key of which nothing is held. */
export interface Absence {
  readonly kind: "absence"
  readonly key: Key
  place: number
  readonly held: false
}

/** What waits: a record, which may not be held any more when its turn comes, or the absence of one. */
export type Waiting = Record | Absence

/** The front of the queue is given back when so much of it was taken. */
const takenMin = 1_024

export class Outbox {
  readonly #places: Places
  readonly #keysMax: number
  /** What waits, in the order of places, from `#front` on: it leaves by the front only, or all at once. */
  #queue: Array<Waiting | undefined> = []
  #front = 0
  /** The newest clear not sent yet: its stamp's clock, or 0. */
  #clear = 0
  #clearPlace = 0
  /** How often it overflowed. */
  overflows = 0

  constructor(places: Places, keysMax: number) {
    this.#places = places
    this.#keysMax = keysMax
  }

  /** Adds what does not wait; false when the outbox overflowed and was emptied. */
  add(waiting: Waiting): boolean {
    if (this.#queue.length - this.#front >= this.#keysMax) {
      this.drop()
      this.overflows++
      return false
    }
    waiting.place = ++this.#places.last
    this.#queue.push(waiting)
    return true
  }

  /** A clear supersedes an earlier one and, if it is of all that waits, takes the place of that. */
  addClear(clock: number, ofAll: boolean): void {
    const place = ofAll ? this.oldest() : this.#clear === 0 ? Infinity : this.#clearPlace
    if (ofAll) this.drop()
    this.#clearPlace = place === Infinity ? ++this.#places.last : place
    this.#clear = clock
  }

  /** Whether a record waits, or one that it took the place of. */
  has({ place }: Record): boolean {
    return place > 0 && place >= this.#oldestWaiting()
  }

  drop(): void {
    this.#queue = []
    this.#front = 0
    this.#clear = 0
  }

  get size(): number {
    return this.#queue.length - this.#front + (this.#clear === 0 ? 0 : 1)
  }

  #oldestWaiting(): number {
    return this.peek()?.place ?? Infinity
  }

  /** The place of the next thing to send; `Infinity` when empty. */
  oldest(): number {
    const place = this.#oldestWaiting()
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

  /** What is next, which stays until `taken`. */
  peek(): Waiting | undefined {
    return this.#front === this.#queue.length ? undefined : this.#queue[this.#front]
  }

  /** Removes what `peek` gives. */
  taken(): void {
    if (this.#front === this.#queue.length) return
    this.#queue[this.#front++] = undefined
    if (this.#front < takenMin || 2 * this.#front < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#front)
    this.#front = 0
  }
}
