/**
 * An attacker on the simulated network: it hears everything, remembers it, and injects what it likes, from any address.
 *
 * Two kinds. One without the key has only what it captured: it repeats, reflects, cuts, splices and changes that. One
 * with some key (an old one, a wrong one, that of the cluster, or none where the cluster has none) can also make
 * datagrams under any id: `identity`.
 */
import * as Effect from "effect/Effect"
import * as Datagram from "../../../src/domain/Datagram.ts"
import * as Framing from "../../../src/domain/Framing.ts"
import * as MemberIds from "../../../src/domain/MemberId.ts"
import type { Control, Proof, Write } from "../../../src/domain/Operation.ts"
import * as OperationCodec from "../../../src/domain/OperationCodec.ts"
import type { MemberId } from "../../../src/domain/Stamp.ts"
import * as Varint from "../../../src/domain/Varint.ts"
import * as WriteCodec from "../../../src/domain/WriteCodec.ts"
import { everyone, type Sent } from "../../../src/runtime/MemoryNetwork.ts"
import type { Cluster } from "../../../src/runtime/testing/Cluster.ts"
import * as Sealings from "../../../src/services/Sealing.ts"
import { dataBody } from "../../domain/support/Bodies.ts"

/** Where it sends from unless told otherwise; what goes there is seen by the tap. */
export const address = "attacker"

export interface Attacker {
  /** Everything that members sent while it was capturing, oldest first. */
  readonly captured: Array<Sent>
  /** What members sent to addresses that are none of theirs: the answers that an attack drew. */
  readonly drawn: Array<Sent>
  readonly stopCapturing: () => void
  /** To one member, to its sockets as they are, whatever the header says. */
  readonly inject: (to: string, payload: Uint8Array, from?: string) => Effect.Effect<void>
  readonly injectToAll: (payload: Uint8Array, from?: string) => Effect.Effect<void>
  /** Each to every member, from where it came. */
  readonly replay: (sent: Iterable<Sent>) => Effect.Effect<void>
  /** Each back to the member that sent it, from the address that it was sent to. */
  readonly reflect: (sent: Iterable<Sent>) => Effect.Effect<void>
}

export const make = (cluster: Cluster): Attacker => {
  const captured: Array<Sent> = []
  const drawn: Array<Sent> = []
  const members = new Set<string>()
  const stopCapturing = cluster.hub.tap((sent) => captured.push(sent))
  cluster.hub.tap((sent) => {
    for (const { name } of cluster.nodes()) members.add(name)
    if (sent.to !== everyone && !members.has(sent.to) && !cluster.hub.addresses().includes(sent.to)) drawn.push(sent)
  })
  const inject: Attacker["inject"] = (to, payload, from = address) => cluster.hub.inject(to, payload, from)
  const injectToAll: Attacker["injectToAll"] = (payload, from = address) =>
    Effect.forEach(cluster.nodes(), ({ name }) => inject(name, payload, from), { discard: true })
  return {
    captured,
    drawn,
    stopCapturing,
    inject,
    injectToAll,
    replay: (sent) => Effect.forEach([...sent], ({ from, payload }) => injectToAll(payload, from), { discard: true }),
    reflect: (sent) =>
      Effect.forEach([...sent], ({ from, payload, to }) => inject(from, payload, to === everyone ? address : to), {
        discard: true
      })
  }
}

// -------------------------------------------------------------------------------------------- without a key

/** A datagram cut at every length that is less than its own, the empty one among them. */
export const truncations = (payload: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: payload.length }, (_, length) => payload.slice(0, length))

/** The header of the one with the body and tag of the other. */
export const splice = (header: Uint8Array, body: Uint8Array): Uint8Array =>
  Uint8Array.from([...header.subarray(0, Datagram.headerBytes), ...body.subarray(Datagram.headerBytes)])

/** A datagram under another header, its body and tag as they were. */
export const reheaded = (payload: Uint8Array, change: Partial<Datagram.Header>): Uint8Array => {
  const header = Datagram.decodeHeader(payload)
  if (header === undefined) throw new Error("Only what has a header can get another.")
  const changed = payload.slice()
  Datagram.encodeHeader(changed, { ...header, ...change })
  return changed
}

/** Every field of the header changed, each alone, and every bit of it flipped. */
export const alterations = (payload: Uint8Array): ReadonlyArray<Uint8Array> => {
  const header = Datagram.decodeHeader(payload)
  if (header === undefined) return []
  return [
    reheaded(payload, { sealed: !header.sealed }),
    reheaded(payload, { unicast: !header.unicast }),
    reheaded(payload, { keyId: (header.keyId + 1) % 2 ** 32 }),
    reheaded(payload, { sender: MemberIds.read(new Uint8Array(16).fill(7), 0) }),
    reheaded(payload, { epoch: header.epoch + 1 }),
    reheaded(payload, { epoch: 0 }),
    reheaded(payload, { counter: header.counter + 1_000_000 }),
    reheaded(payload, { counter: Number.MAX_SAFE_INTEGER }),
    ...Array.from({ length: 8 * Datagram.headerBytes }, (_, bit) => {
      const flipped = payload.slice()
      flipped[bit >> 3] ^= 1 << (bit & 7)
      return flipped
    })
  ]
}

/** What went to everybody. */
export const multicasts = (sent: ReadonlyArray<Sent>): ReadonlyArray<Sent> => sent.filter(({ to }) => to === everyone)

/** What went to one member. */
export const unicasts = (sent: ReadonlyArray<Sent>): ReadonlyArray<Sent> => sent.filter(({ to }) => to !== everyone)

/** The same in another order, the same for the same seed: every `step`-th, round and round. */
export const reordered = <A>(items: ReadonlyArray<A>, step = 7): ReadonlyArray<A> =>
  Array.from({ length: step }, (_, start) => items.filter((_item, index) => index % step === start)).reverse().flat()

// ---------------------------------------------------------------------------------------------- with some key

/** Somebody that holds a key, or none where there is none, and calls itself what it likes. */
export interface Identity {
  readonly id: MemberId
  /** A datagram of any body; unicast when a receiver is given. */
  readonly seal: (body: Uint8Array, receiver?: MemberId) => Uint8Array
  readonly control: (operation: Control, receiver?: MemberId) => Uint8Array
  readonly data: (number: number, operation: Write, asks?: boolean) => Uint8Array
  /** The operations of a datagram for it, or nothing when it cannot open it. */
  readonly read: (payload: Uint8Array) => ReadonlyArray<ReturnType<typeof OperationCodec.decode>>
}

/** An id for each number. */
export const idOf = (index: number): MemberId => {
  const bytes = new Uint8Array(16).fill(0xa7)
  new DataView(bytes.buffer).setUint32(0, Math.imul(index + 1, 0x9e37_79b1) >>> 0)
  new DataView(bytes.buffer).setUint32(12, index)
  return MemberIds.read(bytes, 0)
}

/** One whole record as the pieces of a body. */
const piecesOf = (record: Uint8Array): Uint8Array => {
  const pieces = new Uint8Array(1 + Varint.size(record.length) + record.length)
  pieces.set(record, Varint.write(pieces, 1, record.length))
  return pieces
}

export const controlBody = (operation: Control): Uint8Array =>
  Framing.controlBody(piecesOf(OperationCodec.encodeControl(operation)))

/** `key` as options have it: urlsafe base64; the cluster is that of simulations. */
export const identity = (id: MemberId, key: string | undefined, cluster = "simulation"): Identity => {
  const sealing = Sealings.make({
    self: id,
    cluster,
    keys: key === undefined ? [] : [Buffer.from(key, "base64url")],
    nowMillis: () => 0,
    derivationsPerSecondMax: Infinity
  })
  return {
    id,
    seal: (body, receiver) => sealing.seal(body, receiver),
    control: (operation, receiver) => sealing.seal(controlBody(operation), receiver),
    data: (number, operation, asks = false) =>
      sealing.seal(dataBody(number, piecesOf(WriteCodec.encode(operation, id)), asks), undefined),
    read: (payload) => {
      const header = Datagram.decodeHeader(payload)
      const body = header === undefined ? "malformed" : sealing.open(payload, header)
      const found: Array<ReturnType<typeof OperationCodec.decode>> = []
      if (typeof body === "string" || header === undefined) return found
      const preceding = new WriteCodec.Preceding()
      Framing.readBody(body, {
        data: () => undefined,
        whole: (bytes, start, end) =>
          void found.push(OperationCodec.decode(bytes, header.sender, start, end, preceding)),
        part: () => undefined
      })
      return found
    }
  }
}

/** A datagram with the header fields of another and the key of this one: a forgery in that one's name. */
export const inTheNameOf = (victim: Uint8Array, forged: Uint8Array): Uint8Array => {
  const header = Datagram.decodeHeader(victim)
  if (header === undefined) throw new Error("Only what has a header has a name.")
  return reheaded(forged, { keyId: header.keyId, sender: header.sender, epoch: header.epoch, counter: header.counter })
}

/** As large as it is today: the time is a varint. */
export const join = (physicalMillis = 1_790_000_000_000): Control => ({ _tag: "JOIN", physicalMillis })

export const pulse = (fields: Partial<Extract<Control, { readonly _tag: "PULSE" }>> = {}): Control => ({
  _tag: "PULSE",
  lowest: 1,
  highest: 0,
  physicalMillis: 0,
  clock: 0,
  ready: false,
  asks: false,
  floor: 0,
  namespaces: [],
  ...fields
})

export const proof = (echo: Uint8Array, fields: Partial<Proof> = {}): Proof => ({
  _tag: "PROOF",
  echo,
  nonce: new Uint8Array(0),
  multicast: 0,
  unicast: 0,
  first: 1,
  ready: false,
  host: "attacker",
  pid: 666,
  version: "0",
  physicalMillis: 0,
  clock: 0,
  ...fields
})

export const put = (id: MemberId, key: string, clock: number, value = new Uint8Array([1])): Write => ({
  _tag: "PUT",
  namespace: "n",
  key,
  clock,
  writer: id,
  expiresAt: 0,
  crc: 0,
  value
})
