/**
 * CRC-32 (IEEE 802.3), in plain JavaScript, for what the domain checks itself: reassembled records and pulled answers; and
 * for a few bytes. Values and datagrams are checked with the platform's, which gives the same numbers faster.
 */
const table = new Uint32Array(4 * 256)
for (let byte = 0; byte < 256; byte++) {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1
  table[byte] = value >>> 0
}
for (let byte = 0; byte < 256; byte++) {
  for (let slice = 1; slice < 4; slice++) {
    const before = table[(slice - 1) * 256 + byte]
    table[slice * 256 + byte] = ((before >>> 8) ^ table[before & 0xff]) >>> 0
  }
}

/** The checksum of the bytes from `from` to `to`, as an unsigned 32-bit integer. Four bytes at a time (Intel's slicing, 2006). */
export const checksum = (bytes: Uint8Array, from = 0, to = bytes.length): number => {
  let crc = 0xffff_ffff
  let at = from
  for (; at + 4 <= to; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc = table[768 + (crc & 0xff)] ^ table[512 + ((crc >>> 8) & 0xff)] ^ table[256 + ((crc >>> 16) & 0xff)] ^
      table[crc >>> 24]
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]) & 0xff]
  return (crc ^ 0xffff_ffff) >>> 0
}
