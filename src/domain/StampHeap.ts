/**
 * Records by a rank that only grows (a stamp, a time), first one first, with lazy removal and lazy moves. A record has one place,
 * under its rank of when it was added or looked at here last: a bound from below. Who changes a record tells nobody; when its
 * place comes to the front, it moves to where the record belongs now. A record that is not held any more leaves when its place comes
 * to the front, or with all such when they are more than a third.
 *
 * Records come in order nearly always, as clocks run forward: those are a queue, added and taken in O(1) with one comparison
 * of numbers that lie side by side. Only what comes out of order (late, with a shorter ttl, moved) goes through a heap: one of four
 * children a place, whose ranks lie side by side, too (LaMarca and Ladner, "The Influence of Caches on the Performance of Heaps", 1996).
 */
import type { Record } from "./Record.ts"

/** So few are not worth dropping. */
const staleMin = 64

export class StampHeap<R extends Record> {
  /** In order; those before `#front` are gone. */
  #queue: Array<R> = []
  #ranks: Array<number> = []
  #front = 0
  /** The heap's places: a record, and the order that it had when it was put there. */
  #lateRecords: Array<R> = []
  #lateRanks: Array<number> = []
  #lateWriters: Array<string> = []
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
    } else this.#up(this.#lateRanks.length, record, rank, record.writer)
  }

  /** Tells that a record here is no longer held. */
  released(): void {
    this.#stale++
    this.#skim()
    if (this.#stale <= staleMin || 3 * this.#stale <= this.#queue.length - this.#front + this.#lateRanks.length) return
    this.#stale = 0
    this.#compact()
    const [records, ranks, writers] = [this.#lateRecords, this.#lateRanks, this.#lateWriters]
    this.#dropLate()
    for (let index = 0; index < records.length; index++) {
      if (records[index].held) this.#up(this.#lateRanks.length, records[index], ranks[index], writers[index])
    }
  }

  /** The first record still held. */
  peek(): R | undefined {
    while (this.#front < this.#queue.length || this.#lateRanks.length > 0) {
      const isLate = this.#isLate()
      const record = isLate ? this.#lateRecords[0] : this.#queue[this.#front]
      const rank = isLate ? this.#lateRanks[0] : this.#ranks[this.#front]
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
    this.#dropLate()
    this.#stale = 0
  }

  #dropLate(): void {
    this.#lateRecords = []
    this.#lateRanks = []
    this.#lateWriters = []
  }

  /** Whether the first place is one of the heap. */
  #isLate(): boolean {
    if (this.#lateRanks.length === 0) return false
    if (this.#front === this.#queue.length) return true
    const record = this.#queue[this.#front]
    return !this.#isBefore(record, this.#ranks[this.#front], record.writer, 0)
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
    const record = this.#lateRecords.pop()
    const rank = this.#lateRanks.pop()
    const writer = this.#lateWriters.pop()
    if (record === undefined || rank === undefined || writer === undefined || this.#lateRanks.length === 0) return
    this.#down(record, rank, writer)
  }

  /** Whether a place comes before one of the heap. */
  #isBefore(record: R, rank: number, writer: string, index: number): boolean {
    const other = this.#lateRanks[index]
    if (rank !== other) return rank < other
    if (!this.#exact) return false
    const theirs = this.#lateWriters[index]
    return writer === theirs ? record.keyHash < this.#lateRecords[index].keyHash : writer < theirs
  }

  #put(index: number, record: R, rank: number, writer: string): void {
    this.#lateRecords[index] = record
    this.#lateRanks[index] = rank
    this.#lateWriters[index] = writer
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#lateRecords[from], this.#lateRanks[from], this.#lateWriters[from])
  }

  /** Puts a place where a gap is, or above. */
  #up(gap: number, record: R, rank: number, writer: string): void {
    let index = gap
    while (index > 0) {
      const parent = (index - 1) >> 2
      if (!this.#isBefore(record, rank, writer, parent)) break
      this.#move(parent, index)
      index = parent
    }
    this.#put(index, record, rank, writer)
  }

  /** Puts a place at the top, or below. */
  #down(record: R, rank: number, writer: string): void {
    const ranks = this.#lateRanks
    let index = 0
    while (4 * index + 1 < ranks.length) {
      const end = Math.min(4 * index + 5, ranks.length)
      let least = 4 * index + 1
      for (let child = least + 1; child < end; child++) {
        if (ranks[child] > ranks[least]) continue
        if (this.#isBefore(this.#lateRecords[child], ranks[child], this.#lateWriters[child], least)) least = child
      }
      if (this.#isBefore(record, rank, writer, least)) break
      this.#move(least, index)
      index = least
    }
    this.#put(index, record, rank, writer)
  }
}
