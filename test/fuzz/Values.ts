/** Hostile values: MessagePack that lies about lengths, counts and depths, and graphs that refer to what is not there. */
import { Packr } from "msgpackr"
import type { Dice } from "./Dice.ts"

const packr = new Packr({ useRecords: false, moreTypes: true })

const text = (dice: Dice): string =>
  dice.pick(["", "a", "__proto__", "constructor", "toString", "-", "-ff", "zz", "9".repeat(300)])

const head = (token: number, value: number, bytes: number): Array<number> => [
  token,
  ...Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** (bytes - 1 - index)) % 256)
]

/** One token with a length or count that may lie, and what may follow it. */
const token = (dice: Dice): ReadonlyArray<number> => {
  const size = dice.chance(0.5) ? dice.below(8) : dice.magnitude()
  switch (dice.below(12)) {
    case 0:
      return [dice.below(0x80)]
    case 1:
      return [0x80 | dice.below(16)]
    case 2:
      return [0x90 | dice.below(16)]
    case 3: {
      const bytes = Buffer.from(text(dice).slice(0, 31))
      return [0xa0 | bytes.length, ...bytes]
    }
    case 4:
      return head(dice.pick([0xc4, 0xd9]), size, 1)
    case 5:
      return head(dice.pick([0xc5, 0xda, 0xdc, 0xde]), size, 2)
    case 6:
      return head(dice.pick([0xc6, 0xdb, 0xdd, 0xdf]), size, 4)
    case 7:
      // Extensions: of msgpackr's own, records, code, shared structures, bigints, errors.
      return [
        dice.pick([0xd4, 0xd5, 0xd6, 0xd7, 0xd8]),
        dice.pick([0, 1, 0x42, 0x52, 0x62, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0xff])
      ]
    case 8:
      return [...head(dice.pick([0xc7, 0xc8, 0xc9]), size, 1), dice.below(256)]
    case 9:
      return [dice.pick([0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3]), ...dice.bytes(8)]
    case 10:
      return [dice.pick([0xc0, 0xc1, 0xc2, 0xc3])]
    default:
      return [...dice.bytes(4)]
  }
}

const deep = (dice: Dice): Uint8Array => {
  const depth = dice.pick([100, 127, 128, 129, 1_000, 1_300])
  const bytes = new Uint8Array(depth + 1).fill(dice.pick([0x91, 0x81, 0x92]))
  bytes[depth] = 0xc0
  return bytes
}

/** A slot of a graph: plain, or a reference, a string in UTF-16, a bigint, a negative zero. */
const slot = (dice: Dice, nodes: number): unknown => {
  switch (dice.below(9)) {
    case 0:
      return [dice.below(nodes + 2)]
    case 1:
      return [dice.pick([-1, 0.5, 2 ** 32, Number.NaN])]
    case 2:
      return [0, dice.bytes(dice.below(9))]
    case 3:
      return [1, dice.pick(["ff", "-ff", "", "-", "--1", "g", "f".repeat(1_000)])]
    case 4:
      return []
    case 5:
      return Array.from({ length: dice.below(5) }, () => dice.below(4))
    case 6:
      return dice.magnitude()
    case 7:
      return null
    default:
      return text(dice)
  }
}

const node = (dice: Dice, nodes: number): unknown => {
  const tag = dice.below(13)
  const slots = Array.from({ length: dice.below(6) }, () => slot(dice, nodes))
  switch (dice.below(8)) {
    case 0:
      return [tag, dice.magnitude(), ...slots]
    case 1:
      return [tag, dice.below(16), dice.bytes(dice.below(40))]
    case 2:
      return [tag, dice.pick(["(", "a".repeat(300), "(a+)+$", "[", "\\"]), dice.pick(["g", "gg", "zz", "", "gimsuyd"])]
    case 3:
      return [tag, text(dice), text(dice), undefined, [dice.below(nodes)]]
    default:
      return [tag, ...slots]
  }
}

const graph = (dice: Dice): Uint8Array => {
  const nodes = dice.below(12)
  const list = [slot(dice, nodes), ...Array.from({ length: nodes }, () => node(dice, nodes))]
  return Uint8Array.of(0xc1, ...packr.pack(dice.chance(0.95) ? list : slot(dice, 1)))
}

/** Bytes in the place of a value. */
export const value = (dice: Dice): Uint8Array => {
  switch (dice.below(8)) {
    case 0:
      return deep(dice)
    case 1:
    case 2:
    case 3:
      return graph(dice)
    default: {
      const bytes = Array.from({ length: dice.between(1, 30) }, () => token(dice)).flat()
      return Uint8Array.from(dice.chance(0.1) ? [0xc1, ...bytes] : bytes)
    }
  }
}
