/**
 * A binary heap of records by an order that never changes for a record, with lazy removal: what the replica no longer
 * holds is skipped when it comes to the top, and the heap is rebuilt when more than half of it is such. Adding in
 * increasing order, which is the rule, costs O(1).
 */
import type { Record } from "./Record.ts"

export class StampHeap<R extends Record> {
  #items: Array<R> = []
  #stale = 0
  readonly #before: (a: R, b: R) => boolean

  constructor(before: (a: R, b: R) => boolean) {
    this.#before = before
  }

  add(record: R): void {
    const items = this.#items
    let index = items.push(record) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#before(record, items[parent])) break
      items[index] = items[parent]
      index = parent
    }
    items[index] = record
  }

  /** Tells that a record of the heap is no longer held. */
  released(): void {
    if (++this.#stale > 64 && this.#stale > this.#items.length >> 1) {
      const held = this.#items.filter((record) => record.held)
      this.#items = held
      this.#stale = 0
      for (let index = (held.length >> 1) - 1; index >= 0; index--) this.#down(index)
    }
  }

  /** The first record still held. */
  peek(): R | undefined {
    while (this.#items.length > 0) {
      const first = this.#items[0]
      if (first.held) return first
      this.#pop()
      if (this.#stale > 0) this.#stale--
    }
    return undefined
  }

  clear(): void {
    this.#items = []
    this.#stale = 0
  }

  #pop(): void {
    const items = this.#items
    const last = items.pop()
    if (last === undefined || items.length === 0) return
    items[0] = last
    this.#down(0)
  }

  #down(from: number): void {
    const items = this.#items
    const record = items[from]
    let index = from
    while (true) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#before(items[child + 1], items[child])) child++
      if (!this.#before(items[child], record)) break
      items[index] = items[child]
      index = child
    }
    items[index] = record
  }
}
