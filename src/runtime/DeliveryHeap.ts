/** Datagrams under way in a simulated network: a binary heap by time, then by order of sending. */
import type { Address } from "../services/Network.ts"

export interface Delivery<To> {
  readonly dueMillis: number
  /** Rises with every delivery, so that what is due at once comes in the order in which it was sent. */
  readonly order: number
  readonly to: To
  readonly from: Address
  readonly payload: Uint8Array
}

export class DeliveryHeap<To> {
  private readonly items: Array<Delivery<To>> = []

  get size(): number {
    return this.items.length
  }

  peek(): Delivery<To> | undefined {
    return this.items[0]
  }

  push(item: Delivery<To>): void {
    const { items } = this
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(item, items[parent])) break
      items[at] = items[parent]
      at = parent
    }
    items[at] = item
  }

  pop(): void {
    const { items } = this
    const item = items.pop()
    if (item === undefined || items.length === 0) return
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && isBefore(items[child + 1], items[child])) child++
      if (!isBefore(items[child], item)) break
      items[at] = items[child]
      at = child
    }
    items[at] = item
  }
}

const isBefore = (left: Delivery<unknown>, right: Delivery<unknown>): boolean =>
  left.dueMillis < right.dueMillis || (left.dueMillis === right.dueMillis && left.order < right.order)
