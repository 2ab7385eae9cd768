/**
 * The fields of what is laid out by position: big-endian integers, doubles, and texts. Whoever writes has made room, whoever
 * reads has looked that there are as many bytes; what writes returns where it ends.
 */

const textEncoder = new TextEncoder()
// A leading U+FEFF is a part of the text: by default the decoder would take it for a byte order mark and drop it, so that
// a key would arrive as another one.
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const float = new Float64Array(1)
/** The bytes of `float`, in the order of this machine. */
const floatBytes = new Uint8Array(float.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export const writeFloat = (value: number, target: Uint8Array, at: number): number => {
  float[0] = value
  for (let index = 0; index < 8; index++) target[at + index] = floatBytes[littleEndian ? 7 - index : index]
  return at + 8
}

export const readFloat = (bytes: Uint8Array, at: number): number => {
  for (let index = 0; index < 8; index++) floatBytes[littleEndian ? 7 - index : index] = bytes[at + index]
  return float[0]
}

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

/** Bytes of a clock value, or another integer of 53 bits. */
export const clockBytes = 7

export const writeClock = (clock: number, target: Uint8Array, at: number): number => {
  const high = Math.floor(clock / 0x1_0000_0000)
  target[at] = high >>> 16
  return write32(clock >>> 0, target, write16(high & 0xffff, target, at + 1))
}

/** What exceeds 2^53 - 1 is read as something that does. */
export const readClock = (bytes: Uint8Array, at: number): number =>
  (bytes[at] * 0x1_0000 + read16(bytes, at + 1)) * 0x1_0000_0000 + read32(bytes, at + 3)

export const write48 = (value: number, target: Uint8Array, at: number): number =>
  write32(value >>> 0, target, write16(Math.floor(value / 0x1_0000_0000), target, at))

export const read48 = (bytes: Uint8Array, at: number): number =>
  read16(bytes, at) * 0x1_0000_0000 + read32(bytes, at + 2)

/** Writes UTF-8 at `at`, of so many bytes: as many as units say that all are ASCII, for which a loop is fastest. */
export const writeText = (text: string, bytes: number, target: Uint8Array, at: number): number => {
  if (bytes === text.length && bytes <= 48) {
    for (let index = 0; index < bytes; index++) target[at + index] = text.charCodeAt(index)
  } else textEncoder.encodeInto(text, target.subarray(at, at + bytes))
  return at + bytes
}

/** Reads UTF-8. Throws for what is malformed, lone surrogates among it. */
export const readText = (bytes: Uint8Array, from: number, length: number): string => {
  const end = from + length
  if (length <= 24) {
    let text = ""
    let at = from
    let units = 0
    // Eight at a time: a text that grows by one unit is a new text each time.
    for (; at + 8 <= end && units <= 0x7f; at += 8) {
      const a = bytes[at]
      const b = bytes[at + 1]
      const c = bytes[at + 2]
      const d = bytes[at + 3]
      const e = bytes[at + 4]
      const f = bytes[at + 5]
      const g = bytes[at + 6]
      const h = bytes[at + 7]
      units = a | b | c | d | e | f | g | h
      text += String.fromCharCode(a, b, c, d, e, f, g, h)
    }
    for (; at < end && units <= 0x7f; at++) {
      units = bytes[at]
      text += String.fromCharCode(units)
    }
    if (units <= 0x7f) return text
  }
  return textDecoder.decode(bytes.subarray(from, end))
}
