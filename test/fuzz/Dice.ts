/** Seeded chance, with what generators of bytes need from it. */
import * as NetworkFaults from "../../src/runtime/NetworkFaults.ts"

export class Dice {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = NetworkFaults.mulberry32(seed)
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.#next() * count)
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(share: number): boolean {
    return this.#next() < share
  }

  pick<A>(from: ReadonlyArray<A>): A {
    return from[this.below(from.length)]
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index++) bytes[index] = this.below(256)
    return bytes
  }

  /** A whole number of any magnitude up to 2^53 - 1: each bit length is as likely, and the edges more. */
  magnitude(): number {
    if (this.chance(0.2)) return this.pick(edges)
    return Math.floor(this.#next() * 2 ** this.between(1, 53))
  }
}

const edges = [
  0,
  1,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 48,
  2 ** 53 - 1
]
