/** Unsigned integers, most significant byte first. Writing returns where it ends. */

export const write16 = (value: number, target: Uint8Array, at: number): number => {
  target[at] = value >> 8
  target[at + 1] = value
  return at + 2
}

export const write32 = (value: number, target: Uint8Array, at: number): number => {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
  return at + 4
}

export const read16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1]

export const read32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
