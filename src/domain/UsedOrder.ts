/** Entries by use, least recently used first: a doubly linked list through the entries themselves. */
import type { Entry } from "./Record.ts"

export class UsedOrder {
  #least: Entry | undefined = undefined
  #most: Entry | undefined = undefined

  add(entry: Entry): void {
    entry.lessUsed = this.#most
    entry.moreUsed = undefined
    if (this.#most === undefined) this.#least = entry
    else this.#most.moreUsed = entry
    this.#most = entry
  }

  remove(entry: Entry): void {
    if (entry.lessUsed === undefined) this.#least = entry.moreUsed
    else entry.lessUsed.moreUsed = entry.moreUsed
    if (entry.moreUsed === undefined) this.#most = entry.lessUsed
    else entry.moreUsed.lessUsed = entry.lessUsed
    entry.lessUsed = undefined
    entry.moreUsed = undefined
  }

  use(entry: Entry): void {
    if (this.#most === entry) return
    this.remove(entry)
    this.add(entry)
  }

  least(): Entry | undefined {
    return this.#least
  }

  clear(): void {
    this.#least = undefined
    this.#most = undefined
  }
}
