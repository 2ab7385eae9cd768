/**
 * Values as bytes. A value is encoded when it is set, so that later changes by the caller reach nobody; what was
 * received is decoded when it is first read.
 *
 * Two forms, told apart by the first byte. A *tree* of plain data (strings, numbers, booleans, dates, byte arrays,
 * arrays, plain objects), nearly every value, is MessagePack. Everything else that the structured clone algorithm takes
 * is a *graph*: the byte 0xc1, which MessagePack never uses, then `ValueGraph`'s list as MessagePack. Each value
 * decodes on its own, in any process.
 *
 * Requires from below: nothing; the bytes may be hostile. Guarantees above: decoding runs no code that the bytes name,
 * allocates in proportion to them, and either returns the value that was encoded or throws `Undecodable`.
 */
import * as Schema from "effect/Schema"
import { Unpackr } from "msgpackr"
import * as Invariant from "../domain/Invariant.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MessagePack from "../domain/MessagePack.ts"
import * as Packed from "../domain/Packed.ts"
import { TreeWriter } from "./TreeWriter.ts"
import * as ValueGraph from "./ValueGraph.ts"

/** @category models */
export interface ValueCodec<V> {
  /** The value as bytes. Throws `McCacheError`, `Unencodable`, naming the place in the value that has no encoding. */
  readonly encode: (value: V) => Packed.Packed
  /** The value of the bytes, sharing no memory with them. Throws `Undecodable`. */
  readonly decode: (packed: Packed.Packed) => V
}

/** A Schema of values, synchronous and without services. @category models */
export type ValueSchema<V> = Schema.Codec<V, unknown>

/** Bytes that no value was encoded to: damaged, hostile, or of another Schema. Counted, and treated as absent. */
export class Undecodable extends Error {
  override readonly name = "Undecodable"
}

/** Marks a graph. */
const graphByte = 0xc1

/** Writers at rest: one, unless a getter of a value that is being encoded encodes another. */
const writers: Array<TreeWriter> = []

const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  moreTypes: true,
  // Binary that was decoded must not be a window into the bytes of the entry.
  copyBuffers: true
})

const encode = (value: unknown): Packed.Packed => {
  const writer = writers.pop() ?? new TreeWriter()
  try {
    const encoded = writer.write(value) ?? writer.write(ValueGraph.flatten(value), graphByte)
    Invariant.check(encoded !== undefined, "A list of nodes is a tree of plain data.")
    return encoded
  } catch (error) {
    if (error instanceof McCacheError.McCacheError || error instanceof Invariant.InvariantViolation) throw error
    // A getter that threw, or more bytes than a buffer holds.
    throw McCacheError.make("Unencodable", `The value cannot be encoded: ${messageOf(error)}`)
  } finally {
    writers.push(writer)
  }
}

/** Values up to so many bytes are decoded from a copy here: msgpackr hangs a `DataView` onto the array that it reads. */
const scratch = new Uint8Array(8_192)
/** The same, with the platform's conversions. What msgpackr reads must be no `Buffer`, or the binary in it became one. */
const scratchBuffer = Buffer.from(scratch.buffer)

const unpack = (packed: Packed.Packed, from: number): unknown => {
  const { length } = packed
  let bytes: Uint8Array = scratch
  if (length <= scratch.length) Packed.write(packed, scratchBuffer, 0)
  else {
    const own = Packed.bytes(packed)
    bytes = new Uint8Array(own.buffer, own.byteOffset, length)
  }
  if (!MessagePack.isAcceptable(bytes, from, length)) throw new Undecodable("The bytes are no value.")
  return unpackr.unpack(from === 0 ? bytes : bytes.subarray(from), length - from)
}

const decode = (packed: Packed.Packed): unknown => {
  try {
    return Packed.first(packed) === graphByte ? ValueGraph.unflatten(unpack(packed, 1)) : unpack(packed, 0)
  } catch (error) {
    throw error instanceof Undecodable ? error : new Undecodable(messageOf(error), { cause: error })
  }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const anything: ValueCodec<unknown> = { encode, decode }

/**
 * Whatever the structured clone algorithm takes; of arrays their items, and no properties beside them. Without a Schema nothing can check that what other members wrote is a
 * `V`: the cast is the caller's word.
 */
export const structured = <V = unknown>(): ValueCodec<V> => anything as ValueCodec<V>

// ---------------------------------------------------------------------------------------------------------- Schema

/**
 * What a Schema encodes. Values travel in the Schema's canonical JSON form, which knows all of Effect's data types, so
 * that members may run versions of the Schema that accept each other's. What the Schema refuses is `Unencodable` on the
 * way in and `Undecodable` on the way out.
 *
 * The Schema must be synchronous and need no services: the type says so; one that is not all the same fails with
 * `InvalidConfig` when it is first used.
 */
export const ofSchema = <V>(schema: ValueSchema<V>): ValueCodec<V> => {
  const codec = Schema.toCodecJson(schema)
  const encodeSync = Schema.encodeUnknownSync(codec)
  const decodeSync = Schema.decodeUnknownSync(codec)
  return {
    encode: (value) => {
      let encoded: unknown
      try {
        encoded = encodeSync(value)
      } catch (error) {
        if (!Schema.isSchemaError(error)) throw unsuitable(error)
        throw McCacheError.make("Unencodable", `The cache's Schema does not accept the value: ${error.message}`)
      }
      return encode(encoded)
    },
    decode: (bytes) => {
      const encoded = decode(bytes)
      try {
        return decodeSync(encoded)
      } catch (error) {
        if (!Schema.isSchemaError(error)) throw unsuitable(error)
        throw new Undecodable(`The cache's Schema does not accept what was stored: ${error.message}`, { cause: error })
      }
    }
  }
}

const unsuitable = (error: unknown): McCacheError.McCacheError =>
  McCacheError.make(
    "InvalidConfig",
    `The cache's Schema cannot be used: it must be synchronous and need no services (${messageOf(error)}).`
  )
