/** The pure decoders, each as a function of bytes that says whether it accepted them and must never throw. */
import { isDeepStrictEqual } from "node:util"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as Framing from "../../src/domain/Framing.ts"
import * as Key from "../../src/domain/Key.ts"
import * as MessagePack from "../../src/domain/MessagePack.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Reassembly from "../../src/domain/Reassembly.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import { structured, Undecodable } from "../../src/services/ValueCodec.ts"
import type { Contents } from "./Capture.ts"
import * as Configurations from "./Configurations.ts"
import { Defect } from "./Defect.ts"

/** A decoder under test. */
export interface Decoder {
  readonly name: string
  /** True when the bytes were accepted. Throws for what is a defect. */
  readonly decode: (bytes: Uint8Array) => boolean
  /** Good input, to be damaged. */
  readonly corpus: (contents: Contents) => ReadonlyArray<Uint8Array>
}

const require = (condition: boolean, what: string): void => {
  if (!condition) throw new Defect(what)
}

const sender = "ab".repeat(16)

/** What the records under test may lean on. */
const leanedOn = WriteCodec.encode({
  _tag: "PUT",
  namespace: "n",
  key: "before",
  clock: 2 ** 40,
  writer: sender,
  expiresAt: Stamp.epochMillis + 2 ** 28 + 3_600_000,
  crc: 0,
  value: undefined
}, sender)

/** What `decode` promises of an operation beyond its type, whatever it leans on. */
const operation = (record: Uint8Array): boolean => {
  const preceding = new WriteCodec.Preceding()
  OperationCodec.decode(leanedOn, sender, 0, leanedOn.length, preceding)
  const decoded = OperationCodec.decode(record, sender, 0, record.length, preceding)
  if (decoded === undefined) return false
  if (decoded._tag === "PUT" || decoded._tag === "DEL") {
    require(Key.problem(decoded.key) === undefined, `the key is ${JSON.stringify(Key.problem(decoded.key))}`)
    require(Stamp.isClock(decoded.clock), `the clock is ${decoded.clock}`)
    require(decoded.writer.length === 32, `the writer is ${decoded.writer}`)
  }
  if (decoded._tag === "PUT" || decoded._tag === "DEL" || decoded._tag === "CLEAR") {
    // What was decoded can be encoded, and is then the same.
    const again = OperationCodec.decode(WriteCodec.encode(decoded, sender), sender)
    require(isDeepStrictEqual(again, decoded), "it does not round-trip")
  } else OperationCodec.encodeControl(decoded)
  return true
}

const reply = (bytes: Uint8Array): boolean => {
  const { copies, digest, listing, report } = OperationCodec.replies
  const keys = [...(copies.decode(bytes)?.copies ?? []), ...(listing.decode(bytes)?.items ?? [])]
  for (const { clock, key } of keys) {
    require(Key.problem(key) === undefined, `a reply holds ${Key.problem(key)} as a key`)
    require(Stamp.isClock(clock), `a reply holds the clock ${clock}`)
  }
  return keys.length > 0 || digest.decode(bytes) !== undefined || report.decode(bytes) !== undefined
}

const reassemblyBytesMax = 262_144

/** Reads bodies one after the other into the same reassembly, as a session does. */
const framing = (): (bytes: Uint8Array) => boolean => {
  const budget = Reassembly.makeBudget(4 * reassemblyBytesMax)
  const reassembly = Reassembly.make({
    recordBytesMax: () => 65_536,
    bytesMaxPerSender: reassemblyBytesMax,
    idleMillis: 1_000,
    budget
  })
  let now = 0
  return (body) => {
    now++
    let visited = 0
    const valid = Framing.readBody(body, {
      data: (number) => require(Number.isSafeInteger(number) && number > 0, `the number is ${number}`),
      whole: (bytes, start, end) => {
        const record = bytes.subarray(start, end)
        visited += record.length
      },
      part: (part) => {
        visited += part.bytes.length
        const offer = Reassembly.offer(reassembly, part, now)
        if (offer._tag === "Whole") require(offer.record.length === part.total, "a record is not as long as announced")
      }
    })
    require(visited <= body.length, "more came out of a body than it holds")
    require(Reassembly.used(budget) <= reassemblyBytesMax, `${Reassembly.used(budget)} bytes are in reassembly`)
    require(reassembly.partials.size <= 1_024, `${reassembly.partials.size} records are in reassembly`)
    if (now % 1_000 === 0) Reassembly.expire(reassembly, now)
    return valid
  }
}

const codec = structured()

const value = (bytes: Uint8Array): boolean => {
  try {
    codec.decode(bytes)
    return true
  } catch (error) {
    if (error instanceof Undecodable) return false
    throw error
  }
}

/** All of them, made anew for each run: one of them has state. */
export const decoders = (): ReadonlyArray<Decoder> => [
  {
    name: "header",
    decode: (bytes) => {
      const header = Datagram.decodeHeader(bytes)
      if (header === undefined) return false
      require(Number.isSafeInteger(header.counter), `the counter is ${header.counter}`)
      const again = new Uint8Array(Datagram.headerBytes)
      Datagram.encodeHeader(again, header)
      require(Buffer.compare(again, bytes.subarray(0, Datagram.headerBytes)) === 0, "the header does not round-trip")
      return true
    },
    corpus: ({ datagrams }) => datagrams
  },
  { name: "framing", decode: framing(), corpus: ({ bodies }) => bodies },
  { name: "operation", decode: operation, corpus: ({ records }) => records },
  { name: "reply", decode: reply, corpus: ({ replies }) => replies },
  { name: "message pack", decode: (bytes) => MessagePack.isAcceptable(bytes), corpus: ({ values }) => values },
  { name: "value", decode: value, corpus: ({ values }) => values },
  { name: "configuration", decode: Configurations.attempt, corpus: ({ datagrams }) => datagrams }
]
