/**
 * Records by an order that never changes for a record, first one first, with lazy removal: what the replica no longer holds
 * is dropped when it comes to the front, or with all such when they are more than a third.
 *
 * Records come in order nearly always, as clocks run forward: those are a queue, added and taken in O(1) with one comparison.
 * Only what comes out of order (late, or with a shorter ttl) goes through a binary heap.
 */
import type { Record } from "./Record.ts"

/** So few are not worth dropping. */
const staleMin = 64

export class StampHeap<R extends Record> {
  /** In order; those before `#front` are gone. */
  #queue: Array<R> = []
  #front = 0
  #heap: Array<R> = []
  #stale = 0
  readonly #before: (a: R, b: R) => boolean

  constructor(before: (a: R, b: R) => boolean) {
    this.#before = before
  }

  add(record: R): void {
    const queue = this.#queue
    if (queue.length === this.#front || !this.#before(record, queue[queue.length - 1])) queue.push(record)
    else this.#up(this.#heap.push(record) - 1)
  }

  /** Tells that a record of the heap is no longer held. */
  released(): void {
    this.#stale++
    this.#skim()
    if (this.#stale <= staleMin || 3 * this.#stale <= this.#queue.length - this.#front + this.#heap.length) return
    this.#stale = 0
    this.#queue = this.#queue.slice(this.#front).filter((record) => record.held)
    this.#front = 0
    if (this.#heap.length === 0) return
    this.#heap = this.#heap.filter((record) => record.held)
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#down(index)
  }

  /** The first record still held. */
  peek(): R | undefined {
    this.#skim()
    while (this.#heap.length > 0 && !this.#heap[0].held) {
      this.#pop()
      this.#passed()
    }
    const next = this.#front < this.#queue.length ? this.#queue[this.#front] : undefined
    const late = this.#heap.length > 0 ? this.#heap[0] : undefined
    return next === undefined || (late !== undefined && this.#before(late, next)) ? late : next
  }

  clear(): void {
    this.#queue = []
    this.#front = 0
    this.#heap = []
    this.#stale = 0
  }

  /** Drops what is not held any more from the front of the queue: in a cache that is written in turns, all of it. */
  #skim(): void {
    const queue = this.#queue
    while (this.#front < queue.length && !queue[this.#front].held) {
      this.#front++
      this.#passed()
    }
    if (this.#front <= staleMin || 4 * this.#front <= queue.length) return
    this.#queue = queue.slice(this.#front)
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
    const record = heap[from]
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#before(record, heap[parent])) break
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = record
  }

  #down(from: number): void {
    const heap = this.#heap
    const record = heap[from]
    let index = from
    while (true) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#before(heap[child + 1], heap[child])) child++
      if (!this.#before(heap[child], record)) break
      heap[index] = heap[child]
      index = child
    }
    heap[index] = record
  }
}
