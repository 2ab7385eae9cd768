/** Unsigned integers in base 128, least significant group first (as in Protocol Buffers), up to 2^53 - 1. */

/** The bytes that a value takes. */
export const size = (value: number): number => {
  let bytes = 1
  while (value >= 128) {
    value = Math.floor(value / 128)
    bytes++
  }
  return bytes
}

/** Writes a value at `at`; returns where it ends. */
export const write = (target: Uint8Array, at: number, value: number): number => {
  while (value >= 128) {
    target[at++] = (value % 128) | 128
    value = Math.floor(value / 128)
  }
  target[at++] = value
  return at
}

/** Reads values one after the other; `failed` is set by what is truncated or too large. */
export class Reader {
  readonly bytes: Uint8Array
  at: number
  failed = false

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  next(): number {
    let value = 0
    let factor = 1
    for (let group = 0; group < 8; group++) {
      if (this.at >= this.bytes.length) break
      const byte = this.bytes[this.at++]
      value += (byte & 127) * factor
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      factor *= 128
    }
    this.failed = true
    return 0
  }
}
