/**
 * The clear header of a datagram, 36 bytes, big-endian. All of it is authenticated.
 *
 * ```
 *   0  'M' 'c'
 *   2  u8   version, 1
 *   3  u8   flags: 1 sealed · 2 unicast
 *   4  u32  key id: names cluster and key
 *   8  16   sender id
 *  24  u32  epoch
 *  28  u64  counter; its top bit repeats unicast, so that the two casts never share a nonce
 *  36  …    body, then 16 bytes of tag, or 4 of CRC-32 when not sealed
 * ```
 */
import { read32, write32 } from "./Fields.ts"
import * as MemberIds from "./MemberId.ts"
import type { MemberId } from "./Stamp.ts"

export const headerBytes = 36
export const version = 1
const flagSealed = 1
const flagUnicast = 2

export interface Header {
  readonly sealed: boolean
  readonly unicast: boolean
  readonly keyId: number
  readonly sender: MemberId
  readonly epoch: number
  /** Of this cast, within the epoch; a safe integer. */
  readonly counter: number
}

/** Writes a header at the start of the target. */
export const encodeHeader = (target: Uint8Array, header: Header): void => {
  target[0] = 0x4d
  target[1] = 0x63
  target[2] = version
  target[3] = (header.sealed ? flagSealed : 0) | (header.unicast ? flagUnicast : 0)
  write32(header.keyId, target, 4)
  MemberIds.write(header.sender, target, 8)
  write32(header.epoch, target, 24)
  write32(Math.floor(header.counter / 0x1_0000_0000) | (header.unicast ? 0x8000_0000 : 0), target, 28)
  write32(header.counter >>> 0, target, 32)
}

/** Reads a header; `undefined` for what is none of this version. */
export const decodeHeader = (bytes: Uint8Array): Header | undefined => {
  if (bytes.length < headerBytes || bytes[0] !== 0x4d || bytes[1] !== 0x63 || bytes[2] !== version) return undefined
  const flags = bytes[3]
  if (flags > (flagSealed | flagUnicast)) return undefined
  const unicast = (flags & flagUnicast) !== 0
  const high = read32(bytes, 28)
  if ((high >= 0x8000_0000) !== unicast) return undefined
  const counterHigh = high & 0x7fff_ffff
  if (counterHigh > 0x1f_ffff) return undefined
  return {
    sealed: (flags & flagSealed) !== 0,
    unicast,
    keyId: read32(bytes, 4),
    sender: MemberIds.read(bytes, 8),
    epoch: read32(bytes, 24),
    counter: counterHigh * 0x1_0000_0000 + read32(bytes, 32)
  }
}
