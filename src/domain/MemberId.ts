/** The two forms of a member id: 16 bytes on the wire, 32 lower-case hexadecimal digits in memory. */
import type { MemberId } from "./Stamp.ts"

const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** The ids that were read lately: of the few senders that are heard, no text is made anew for every datagram. */
const recentMax = 8
const recent: Array<{ readonly bytes: Uint8Array; readonly id: MemberId }> = []
let replaced = 0

/** The id that 16 bytes at `at` hold. */
export const read = (bytes: Uint8Array, at: number): MemberId => {
  for (const known of recent) {
    let index = 0
    while (index < 16 && known.bytes[index] === bytes[at + index]) index++
    if (index === 16) return known.id
  }
  let id = ""
  for (let index = at; index < at + 16; index++) id += digits[bytes[index]]
  recent[replaced++ % recentMax] = { bytes: Uint8Array.from(bytes.subarray(at, at + 16)), id }
  return id
}

const nibble = (unit: number): number => unit > 0x60 ? unit - 0x57 : unit - 0x30

/** Writes the 16 bytes of an id at `at`. */
export const write = (id: MemberId, target: Uint8Array, at: number): void => {
  for (let index = 0; index < 16; index++) {
    target[at + index] = (nibble(id.charCodeAt(2 * index)) << 4) | nibble(id.charCodeAt(2 * index + 1))
  }
}

/** The 16 bytes of an id. */
export const toBytes = (id: MemberId): Uint8Array => {
  const bytes = new Uint8Array(16)
  write(id, bytes, 0)
  return bytes
}

/** For people: the first eight digits. */
export const short = (id: MemberId): string => id.slice(0, 8)
