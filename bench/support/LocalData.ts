/** Keys, values and orders of access for the suites about one process: all of them from a seed, the same for every subject. */
import { pack } from "msgpackr"
import { expect } from "./Suite.ts"

/** A small generator of known quality (Steele and Vigna's `splitmix32`), so that all subjects meet the same order. */
export const random = (seed: number): () => number => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e37_79b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 0x1_0000_0000
  }
}

export type KeyLength = "short" | "long"

/** Of 8 and of 64 characters. Through bytes, as a key from the network is: a flat string and no rope. */
export const key = (length: KeyLength, prefix: string, index: number): string => {
  const text = `${prefix}${index.toString(36).padStart(7, "0")}`
  return Buffer.from(length === "short" ? text : `tenant/0042/region/eu-west/service/session/user-${text}/profile`)
    .toString("latin1")
}

export const keys = (length: KeyLength, prefix: string, count: number): Array<string> =>
  Array.from({ length: count }, (_, index) => key(length, prefix, index))

/** `small` is what the budgets speak of; the others are named after what they take encoded. */
export type ValueSize = "small" | "10B" | "100B" | "1KB" | "10KB"

export interface Value {
  readonly id: number
  readonly [name: string]: unknown
}

const person = (id: number) => ({
  id,
  name: `Ada King ${id % 1_000}`,
  email: `ada.king.${id % 1_000}@example.org`,
  age: 20 + id % 60
})

export const value = (size: ValueSize, id: number): Value => {
  switch (size) {
    case "small":
      return person(id)
    case "10B":
      return { id }
    case "100B":
      return { ...person(id), note: `Prefers to be written to, ${id % 1_000}.` }
    case "1KB":
    case "10KB": {
      const people = size === "1KB" ? 14 : 148
      return { id, people: Array.from({ length: people }, (_, index) => person(id + index)) }
    }
  }
}

const namedBytes = { "10B": 10, "100B": 100, "1KB": 1_024, "10KB": 10_240 }

/** The bytes of a value as MessagePack, averaged; checked against what its size is called. */
export const encodedBytes = (size: ValueSize): number => {
  const samples = 1_000
  let total = 0
  for (let id = 0; id < samples; id++) total += pack(value(size, id * 97)).length
  const mean = total / samples
  if (size !== "small") {
    expect(Math.abs(mean / namedBytes[size] - 1) < 0.2, `values of ${size} take ${mean} bytes encoded`)
  }
  return mean
}

/** Shuffles in place (Fisher and Yates). */
export const shuffle = <A>(items: Array<A>, next: () => number): Array<A> => {
  for (let index = items.length - 1; index > 0; index--) {
    const other = Math.floor(next() * (index + 1))
    const item = items[index]
    items[index] = items[other]
    items[other] = item
  }
  return items
}

/** Draws of Zipf's law with exponent 0.99, as YCSB draws them: ranks from 0, the first the most frequent. */
export const zipf = (count: number, draws: number, next: () => number): Uint32Array => {
  const cumulative = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) cumulative[rank] = sum += 1 / (rank + 1) ** 0.99
  return Uint32Array.from({ length: draws }, () => {
    const drawn = next() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle] < drawn) low = middle + 1
      else high = middle
    }
    return low
  })
}
