/** Damage to bytes that were good: what a bad network, a bad memory or a curious stranger does to datagrams. */
import type { Dice } from "./Dice.ts"

type Damage = (dice: Dice, bytes: Uint8Array, corpus: ReadonlyArray<Uint8Array>) => Uint8Array

const bytesMax = 4_096

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const flip: Damage = (dice, bytes) => {
  const copy = bytes.slice()
  for (let bit = dice.between(1, 8); bit > 0 && copy.length > 0; bit--) {
    copy[dice.below(copy.length)] ^= 1 << dice.below(8)
  }
  return copy
}

const truncate: Damage = (dice, bytes) => bytes.slice(0, dice.below(bytes.length + 1))

const extend: Damage = (dice, bytes) => concat(bytes, dice.bytes(dice.between(1, 64)))

const splice: Damage = (dice, bytes, corpus) => {
  const other = dice.pick(corpus)
  return concat(bytes.subarray(0, dice.below(bytes.length + 1)), other.subarray(dice.below(other.length + 1)))
}

/** Overwrites what may be a length, a count, a number or a varint with what hurts most there. */
const tamper: Damage = (dice, bytes) => {
  const copy = bytes.slice()
  for (let count = dice.between(1, 3); count > 0; count--) {
    const hurtful = dice.pick(hurtfuls)
    if (copy.length >= hurtful.length) copy.set(hurtful, dice.below(copy.length - hurtful.length + 1))
  }
  return copy
}

const hurtfuls: ReadonlyArray<Uint8Array> = [
  [0],
  [1],
  [0x7f],
  [0x80],
  [0xff],
  [0, 0],
  [0xff, 0xff],
  [0x7f, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0, 0, 0, 0],
  [0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  // Just below what the decoder of SchemaBinary makes room for whatever follows.
  [0xf0, 0xff, 0x3f]
].map((bytes) => Uint8Array.from(bytes))

const repeat: Damage = (dice, bytes) => {
  const from = dice.below(bytes.length + 1)
  const piece = bytes.subarray(from, from + dice.between(1, 128))
  return concat(
    bytes.subarray(0, from),
    ...Array.from({ length: dice.between(2, 8) }, () => piece),
    bytes.subarray(from)
  )
}

const cut: Damage = (dice, bytes) => {
  const from = dice.below(bytes.length + 1)
  return concat(bytes.subarray(0, from), bytes.subarray(from + dice.between(1, 32)))
}

const damages: ReadonlyArray<Damage> = [flip, flip, truncate, extend, splice, tamper, tamper, repeat, cut]

/** One to three kinds of damage to one piece of the corpus. */
export const mutant = (dice: Dice, corpus: ReadonlyArray<Uint8Array>): Uint8Array => {
  let bytes = dice.pick(corpus)
  for (let count = dice.between(1, 3); count > 0; count--) bytes = dice.pick(damages)(dice, bytes, corpus)
  return bytes.length > bytesMax ? bytes.slice(0, bytesMax) : bytes
}
