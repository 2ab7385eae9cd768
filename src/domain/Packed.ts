/**
 * Encoded values at rest. Small ones are strings of one character a byte, which V8 keeps in one byte each, in the object
 * itself; larger ones are arrays. A `Uint8Array` of its own takes 205 bytes on the heap and an allocation outside of it,
 * which the collector must visit to free: 676 bytes of resident memory for a value of 100, and 300 ns. As a string the same
 * takes 229 and 50 (Node 24, 200,000 of them). At a kilobyte both take the same.
 *
 * `Buffer` is used for its two conversions, which are calls of the platform; nothing of Node's is imported.
 */

/** Bytes that nobody changes: a string of characters below 256, or an array. `length` is their number in both forms. */
export type Packed = string | Uint8Array

/** What is no larger is packed as a string. */
const stringBytesMax = 1_024

/** Kept, as Node's global is a getter. */
const { Buffer } = globalThis

/** The same bytes, with the conversions of the platform: no import of Node's, as `Buffer` is there wherever this runs. */
const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Bytes `from` to `to`, packed; shares nothing with the array. */
export const copy = (bytes: Uint8Array, from: number, to: number): Packed =>
  to - from <= stringBytesMax
    ? asBuffer(bytes).toString("latin1", from, to)
    : Uint8Array.prototype.slice.call(bytes, from, to)

/** As `copy`; but of an array that is little else than the value, it keeps a view. */
export const hold = (bytes: Uint8Array, from: number, to: number): Packed =>
  to - from > stringBytesMax && 4 * (to - from) >= bytes.buffer.byteLength
    ? bytes.subarray(from, to)
    : copy(bytes, from, to)

/** The bytes; of an array itself. */
export const bytes = (packed: Packed): Uint8Array => typeof packed === "string" ? Buffer.from(packed, "latin1") : packed

/** Writes the bytes at `at`, where there must be room for them. */
export const write = (packed: Packed, target: Uint8Array, at: number): void => {
  if (typeof packed === "string") asBuffer(target).write(packed, at, "latin1")
  else target.set(packed, at)
}

/** The first byte; `undefined` of none. */
export const first = (packed: Packed): number | undefined =>
  packed.length === 0 ? undefined : typeof packed === "string" ? packed.charCodeAt(0) : packed[0]
