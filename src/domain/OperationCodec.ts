/**
 * The binary form of operations. A record is one operation: its tag's number in one byte, then its fields. Of writes they are
 * laid out by position (`WriteCodec.ts`), of a CHALLENGE, too, because it answers anybody and so must be no larger than what it
 * answers: its tag, and 16 bytes of nonce. All others are `SchemaBinary`, in its evolvable mode.
 *
 * Guarantees: `decode` of any bytes either gives a valid operation or `undefined`; it never throws and allocates no
 * more than the bytes that it was given explain.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Control, Operation } from "./Operation.ts"
import * as Op from "./Operation.ts"
import type { Codec } from "./ReplyCodec.ts"
import * as ReplyCodec from "./ReplyCodec.ts"
import type * as Stamp from "./Stamp.ts"
import * as WriteCodec from "./WriteCodec.ts"

/** The codec of one Schema: encoding gives bytes of its own, decoding of anything else than valid bytes `undefined`. */
const codec = <A, I>(schema: Schema.Codec<A, I>): Codec<A> => {
  const binary = SchemaBinary.toCodec(schema)
  const encode = Schema.encodeUnknownSync(binary)
  const decode = Schema.decodeUnknownExit(binary)
  return {
    encode: (value) => encode(value).slice(),
    decode: (bytes) => {
      try {
        const exit = decode(bytes)
        return Exit.isSuccess(exit) ? exit.value : undefined
      } catch {
        return undefined
      }
    }
  }
}

const nonceBytes = 16

/** The length of a CHALLENGE's record. */
export const challengeBytes = 1 + nonceBytes

const challenge: Codec<Op.Challenge> = {
  encode: ({ nonce }) => nonce,
  decode: (bytes) => bytes.length === nonceBytes ? { _tag: "CHALLENGE", nonce: Uint8Array.from(bytes) } : undefined
}

const controls: { readonly [Tag in Control["_tag"]]: Codec<Extract<Control, { readonly _tag: Tag }>> } = {
  ACK: codec(Op.Ack),
  NACK: codec(Op.Nack),
  PULSE: codec(Op.Pulse),
  DIGEST: codec(Op.Digest),
  LISTING: codec(Op.Listing),
  WANT: codec(Op.Want),
  JOIN: codec(Op.Join),
  WELCOME: codec(Op.Welcome),
  LEAVE: codec(Op.Leave),
  CHALLENGE: challenge,
  PROOF: codec(Op.Proof),
  METRICS: codec(Op.Metrics),
  CHECKSUM: codec(Op.Checksum),
  ERROR: codec(Op.ErrorReport),
  REPLY: codec(Op.Reply),
  PULL: codec(Op.Pull),
  RESET: codec(Op.Reset)
}
const tagOf = new Map<number, Operation["_tag"]>(
  Object.entries(Op.tags).map(([tag, number]) => [number, tag as Operation["_tag"]])
)

/** Encodes a control operation into bytes of its own. */
export const encodeControl = (operation: Control): Uint8Array => {
  const encoder = controls[operation._tag] as Codec<Control>
  const fields = encoder.encode(operation)
  const record = new Uint8Array(1 + fields.length)
  record[0] = Op.tags[operation._tag]
  record.set(fields, 1)
  return record
}

/** Whether the record that begins at `from` is of a tag that there is in this version; it may be malformed all the same. */
export const isKnown = (bytes: Uint8Array, from = 0): boolean => tagOf.has(bytes[from])

/** Whether the record that begins at `from` is of one of the tags that strangers meet by. */
export const isHandshake = (bytes: Uint8Array, from = 0): boolean =>
  bytes[from] === Op.tags.CHALLENGE || bytes[from] === Op.tags.PROOF

/** Decodes the record from `from` to `to`, which `sender` sent. The whole records of a body are given the same `preceding`. */
export const decode = (
  bytes: Uint8Array,
  sender: Stamp.MemberId,
  from = 0,
  to = bytes.length,
  preceding = new WriteCodec.Preceding()
): Operation | undefined => {
  if (to - from < 1) return undefined
  const first = bytes[from]
  if (first <= Op.tags.CLEAR) {
    if (first === 0) return undefined
    try {
      return WriteCodec.decode(bytes, sender, from, to, preceding)
    } catch {
      // Malformed UTF-8 is the one thing that the platform reports by throwing.
      return undefined
    }
  }
  const tag = tagOf.get(first)
  if (tag === undefined || tag === "PUT" || tag === "DEL" || tag === "CLEAR") return undefined
  return controls[tag].decode(bytes.subarray(from + 1, to))
}

/** The codecs of the answers to requests. */
export const replies = {
  digest: codec(Op.DigestReply),
  listing: ReplyCodec.listing,
  copies: ReplyCodec.copies,
  report: codec(Op.ReportReply)
}
