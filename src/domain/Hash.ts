/**
 * Hashes for digests and buckets: the 32-bit finaliser of MurmurHash3 (Appleby, public domain) over FNV-1a. They find
 * accidental differences, they do not withstand an adversary: whoever can write to the cache needs no collision.
 */
import type { Key } from "./Key.ts"
import type { MemberId } from "./Stamp.ts"

const prime = 0x0100_0193

/** Murmur3's finaliser: every bit of the input reaches every bit of the result, a signed integer. */
export const mix = (value: number): number => {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return h ^ (h >>> 16)
}

const text = (value: string, seed: number): number => {
  let h = seed
  for (let index = 0; index < value.length; index++) h = Math.imul(h ^ value.charCodeAt(index), prime)
  return h
}

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** The hash of a key; `1` and `"1"` differ. */
export const key = (value: Key): number => {
  if (typeof value === "string") return mix(text(value, 0x811c_9dc5))
  float[0] = value === 0 ? 0 : value
  return mix(Math.imul(words[0] ^ 0x9e37_79b9, prime) ^ words[1])
}

const writers = new Map<MemberId, number>()
let lastWriter: MemberId = ""
let lastHash = 0

/** The hash of a member id, remembered: few members write all records. */
const writer = (id: MemberId): number => {
  if (id === lastWriter) return lastHash
  let h = writers.get(id)
  if (h === undefined) {
    h = mix(text(id, 0x811c_9dc5))
    if (writers.size >= 4_096) writers.clear()
    writers.set(id, h)
  }
  lastWriter = id
  lastHash = h
  return h
}

/** Of a stamp, but for the low word of its clock. */
export const stamp = (clock: number, id: MemberId): number =>
  (Math.imul((clock / 0x1_0000_0000) | 0, 0x9e37_79b1) + writer(id)) | 0
