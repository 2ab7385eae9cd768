/**
 * Records by a rank that only grows (a stamp, a time), first one first, with lazy removal and lazy moves. A record has one place,
 * under its rank of when it was added or looked at here last: a bound from below. Who changes a record tells nobody; when its
 * place comes to the front, it moves to where the record belongs now. A record that is not held any more leaves when its place comes
 * to the front, or with all such when they are more than a third.
 *
 * Records come in order nearly always, as clocks run forward: those are a queue, added and taken in O(1) with one comparison
 * of numbers that lie side by side. Only what comes out of order (late, with a shorter ttl, moved) goes through a binary heap.
 */
import type { Record } from "./Record.ts"

/** So few are not worth dropping. */
const staleMin = 64

/** A place: the order that the record had when it was put there. */
interface Place<R extends Record> {
  readonly record: R
  readonly rank: number
  readonly writer: string
}

export class StampHeap<R extends Record> {
  /** In order; those before `#front` are gone. */
  #queue: Array<R> = []
  #ranks: Array<number> = []
  #front = 0
  #heap: Array<Place<R>> = []
  #stale = 0
  readonly #rankOf: (record: R) => number
  readonly #exact: boolean

  /**
   * With `exact`, records of one rank are in the order of their writers, then of the hashes of their keys, which is the same at
   * every member; else in any. Neither changes under one rank.
   */
  constructor(rankOf: (record: R) => number, exact: boolean) {
    this.#rankOf = rankOf
    this.#exact = exact
  }

  add(record: R): void {
    const ranks = this.#ranks
    const rank = this.#rankOf(record)
    const last = ranks.length === this.#front ? -Infinity : ranks[ranks.length - 1]
    if (rank > last || (rank === last && !this.#exact)) {
      this.#queue.push(record)
      ranks.push(rank)
    } else this.#up(this.#heap.push({ record, rank, writer: record.writer }) - 1)
  }

  /** Tells that a record here is no longer held. */
  released(): void {
    this.#stale++
    this.#skim()
    if (this.#stale <= staleMin || 3 * this.#stale <= this.#queue.length - this.#front + this.#heap.length) return
    this.#stale = 0
    this.#compact()
    if (this.#heap.length === 0) return
    this.#heap = this.#heap.filter(({ record }) => record.held)
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#down(index)
  }

  /** The first record still held. */
  peek(): R | undefined {
    while (this.#front < this.#queue.length || this.#heap.length > 0) {
      const isLate = this.#isLate()
      const record = isLate ? this.#heap[0].record : this.#queue[this.#front]
      const rank = isLate ? this.#heap[0].rank : this.#ranks[this.#front]
      if (record.held && this.#rankOf(record) === rank) return record
      if (isLate) this.#pop()
      else this.#front++
      if (record.held) this.add(record)
      else this.#passed()
      this.#trim()
    }
    return undefined
  }

  clear(): void {
    this.#queue = []
    this.#ranks = []
    this.#front = 0
    this.#heap = []
    this.#stale = 0
  }

  /** Whether the first place is one of the heap. */
  #isLate(): boolean {
    if (this.#heap.length === 0) return false
    if (this.#front === this.#queue.length) return true
    const record = this.#queue[this.#front]
    return before(this.#heap[0], { record, rank: this.#ranks[this.#front], writer: record.writer })
  }

  /** Drops what is not held any more from the front of the queue: in a cache that is emptied in order, all of it. */
  #skim(): void {
    while (this.#front < this.#queue.length && !this.#queue[this.#front].held) {
      this.#front++
      this.#passed()
    }
    this.#trim()
  }

  /** Gives back the places before the front. */
  #trim(): void {
    if (this.#front <= staleMin || 4 * this.#front <= this.#queue.length) return
    this.#queue = this.#queue.slice(this.#front)
    this.#ranks = this.#ranks.slice(this.#front)
    this.#front = 0
  }

  /** Drops all that is not held any more from the queue. */
  #compact(): void {
    const queue: Array<R> = []
    const ranks: Array<number> = []
    for (let index = this.#front; index < this.#queue.length; index++) {
      if (!this.#queue[index].held) continue
      queue.push(this.#queue[index])
      ranks.push(this.#ranks[index])
    }
    this.#queue = queue
    this.#ranks = ranks
    this.#front = 0
  }

  #passed(): void {
    if (this.#stale > 0) this.#stale--
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    this.#down(0)
  }

  #up(from: number): void {
    const heap = this.#heap
    const place = heap[from]
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(place, heap[parent])) break
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = place
  }

  #down(from: number): void {
    const heap = this.#heap
    const place = heap[from]
    let index = from
    while (true) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], place)) break
      heap[index] = heap[child]
      index = child
    }
    heap[index] = place
  }
}

const before = <R extends Record>(a: Place<R>, b: Place<R>): boolean => {
  if (a.rank !== b.rank) return a.rank < b.rank
  return a.writer !== b.writer ? a.writer < b.writer : a.record.keyHash < b.record.keyHash
}
