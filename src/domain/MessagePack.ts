/**
 * A check that bytes are one well-formed MessagePack value of the few types that McCache's values use. The decoder sees
 * only what passed: it never meets a truncated value, a declared length that the bytes do not bear out, nesting that
 * would overflow its stack, nor one of its extensions that compile code, share state or call by name.
 *
 * Accepted: nil, booleans, numbers, strings, binary, arrays, maps whose keys are strings, and the extensions
 * `undefined` (0x00) and timestamp (0xff). Layouts: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** Arrays and maps within each other, at most. */
export const depthMax = 128

/** The type of the extension that stands for `undefined`. */
export const undefinedType = 0x00

/** The type of timestamps. */
export const dateType = 0xff

/** Items still to come at each depth, and whether they are those of a map: then every even one is a key. */
const remaining = new Float64Array(depthMax + 1)
const inMap = new Uint8Array(depthMax + 1)

/** Whether the bytes from `from` to `end` are exactly one acceptable value. Never throws, allocates nothing. */
export const isAcceptable = (bytes: Uint8Array, from = 0, end = bytes.length): boolean => {
  let position = from
  let depth = 0
  remaining[0] = 1
  inMap[0] = 0
  while (true) {
    while (remaining[depth] === 0) {
      if (depth === 0) return position === end
      depth--
    }
    if (position >= end) return false
    const token = bytes[position++]
    const isKey = inMap[depth] === 1 && remaining[depth] % 2 === 0
    remaining[depth]--
    if (isKey && !(token >= 0xa0 && token <= 0xbf) && !(token >= 0xd9 && token <= 0xdb)) return false
    // What follows: so many bytes to skip, or so many items one level down.
    let skip = 0
    let items = -1
    if (token < 0x80 || token >= 0xe0) continue
    else if (token < 0x90) items = 2 * (token & 0x0f)
    else if (token < 0xa0) items = token & 0x0f
    else if (token < 0xc0) skip = token & 0x1f
    else {
      switch (token) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          continue
        case 0xcc: // uint 8
        case 0xd0: // int 8
          skip = 1
          break
        case 0xcd: // uint 16
        case 0xd1: // int 16
          skip = 2
          break
        case 0xca: // float 32
        case 0xce: // uint 32
        case 0xd2: // int 32
          skip = 4
          break
        case 0xcb: // float 64
        case 0xcf: // uint 64
        case 0xd3: // int 64
          skip = 8
          break
        case 0xc4: // bin 8
        case 0xd9: // str 8
          skip = 1 + length(bytes, position, 1, end)
          break
        case 0xc5: // bin 16
        case 0xda: // str 16
          skip = 2 + length(bytes, position, 2, end)
          break
        case 0xc6: // bin 32
        case 0xdb: // str 32
          skip = 4 + length(bytes, position, 4, end)
          break
        case 0xdc: // array 16
        case 0xdd: // array 32
        case 0xde: // map 16
        case 0xdf: { // map 32
          const lengthBytes = token === 0xdc || token === 0xde ? 2 : 4
          items = length(bytes, position, lengthBytes, end) * (token >= 0xde ? 2 : 1)
          position += lengthBytes
          break
        }
        case 0xd4: // fixext 1: undefined, invalid date
          if (bytes[position] !== undefinedType && bytes[position] !== dateType) return false
          skip = 2
          break
        case 0xd6: // fixext 4: date
        case 0xd7: // fixext 8: date
          if (bytes[position] !== dateType) return false
          skip = token === 0xd6 ? 5 : 9
          break
        case 0xc7: // ext 8: date
          if (bytes[position] !== 12 || bytes[position + 1] !== dateType) return false
          skip = 14
          break
        default:
          return false
      }
    }
    if (items >= 0) {
      // Every item takes a byte at least.
      if (items > end - position || depth === depthMax) return false
      depth++
      remaining[depth] = items
      inMap[depth] = (token & 0xf0) === 0x80 || token >= 0xde ? 1 : 0
    } else {
      position += skip
      if (position > end) return false
    }
  }
}

/** A big-endian length; more than any bytes hold when it is cut off. */
const length = (bytes: Uint8Array, at: number, lengthBytes: number, end: number): number => {
  if (at + lengthBytes > end) return Infinity
  let value = 0
  for (let index = at; index < at + lengthBytes; index++) value = value * 256 + bytes[index]
  return value
}
