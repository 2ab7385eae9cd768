/**
 * The conflating outbox: which keys changed here and were not sent yet. It holds keys, not values: the value is read when
 * it is sent, so that under overload intermediate values are skipped and memory is bounded by the number of keys.
 *
 * Guarantees: a key is held at most once and keeps its place; places are given out in order, so that everything that was
 * added before a barrier has left when `oldest` exceeds it. What exceeds `keysMax` empties the outbox: the sender then
 * tells its peers to repair from it.
 */
import type { Key } from "./Key.ts"

/** Counts places over all namespaces of a member. */
export interface Places {
  last: number
}

export class Outbox {
  readonly #places: Places
  readonly #keysMax: number
  readonly #keys = new Map<Key, number>()
  // A live iterator sees keys added later and skips keys deleted; a new one would step over all holes each time.
  #iterator: MapIterator<[Key, number]> = this.#keys.entries()
  #ahead: [Key, number] | undefined = undefined
  /** The newest clear not sent yet: its stamp's clock, or 0. */
  #clear = 0
  #clearPlace = 0
  /** How often it overflowed. */
  overflows = 0

  constructor(places: Places, keysMax: number) {
    this.#places = places
    this.#keysMax = keysMax
  }

  /** Adds a key; false when the outbox overflowed and was emptied. */
  add(key: Key): boolean {
    if (this.#keys.has(key)) return true
    if (this.#keys.size >= this.#keysMax) {
      this.drop()
      this.overflows++
      return false
    }
    this.#keys.set(key, ++this.#places.last)
    return true
  }

  /** A clear supersedes an earlier one, and takes its place. */
  addClear(clock: number): void {
    if (this.#clear === 0) this.#clearPlace = ++this.#places.last
    this.#clear = clock
  }

  has(key: Key): boolean {
    return this.#keys.has(key)
  }

  drop(): void {
    this.#keys.clear()
    this.#iterator = this.#keys.entries()
    this.#ahead = undefined
    this.#clear = 0
  }

  get size(): number {
    return this.#keys.size + (this.#clear === 0 ? 0 : 1)
  }

  /** The place of the next thing to send; `Infinity` when empty. */
  oldest(): number {
    const next = this.#peek()
    const place = next === undefined ? Infinity : next[1]
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
    return this.#peek()?.[0]
  }

  /** Removes the key that `peek` gave. */
  taken(): void {
    if (this.#ahead !== undefined) this.#keys.delete(this.#ahead[0])
    this.#ahead = undefined
  }

  #peek(): [Key, number] | undefined {
    const ahead = this.#ahead
    if (ahead !== undefined && this.#keys.get(ahead[0]) === ahead[1]) return ahead
    this.#ahead = undefined
    if (this.#keys.size === 0) return undefined
    while (true) {
      const next = this.#iterator.next()
      if (!next.done) {
        // The iterator is live: the pair is current.
        this.#ahead = next.value
        return next.value
      }
      this.#iterator = this.#keys.entries()
    }
  }
}
