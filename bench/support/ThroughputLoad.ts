/**
 * The load of the throughput suite, the same for all subjects: each writer cycles through keys of its own, with values that
 * change each round. McCache's outbox conflates, so a key must have left before it is written again, or its second write would
 * be carried by none and counted by all: a round has more keys than may be under way.
 */
import { setImmediate, setTimeout } from "node:timers/promises"
import type { Figures } from "./Suite.ts"

/** What each process of a case is told. Members 0 to `writers` - 1 write; all hold what the others write. */
export interface Setup {
  readonly index: number
  readonly members: number
  readonly writers: number
  /** Of the value as encoded. */
  readonly valueBytes: number
  /** 0: the subject's default. */
  readonly datagramBytes: number
  readonly sealed: boolean
  readonly lossPercent: number
  /** Of the multicast group, or of the server. */
  readonly port: number
}

/** What carries values from a writer to the others: McCache or a peer. */
export interface Carrier {
  /** Resolves when all the others can be reached. */
  readonly met: () => Promise<void>
  readonly put: (key: string, value: Uint8Array) => void
  /** How many values may be put now; the rest must wait for an acknowledgement. */
  readonly room: () => number
  /** Sends what a part of a datagram holds. */
  readonly flush: () => Promise<void>
  /** Values that came from the others since the start. */
  readonly received: () => number
  /** What is held for a key; `undefined` by a subject that only moves bytes. */
  readonly content?: (key: string) => Uint8Array | undefined
  /** Equal at all members that hold the same. */
  readonly checksum: () => string
  /** Running counts, whose growth under load is reported. */
  readonly counts: () => Figures
}

/** Values that a writer may have under way: enough for the widest window, little enough for a server's buffers. */
export const underWayMax = (valueBytes: number): number =>
  Math.min(8_000, Math.max(8, Math.floor(1_048_576 / valueBytes)))

/** The keys of a writer: twice what may be under way, or some 32 MB of values. */
export const keysOf = (writer: number, valueBytes: number): ReadonlyArray<string> => {
  const count = Math.min(20_000, Math.max(2 * underWayMax(valueBytes), Math.floor(33_554_432 / valueBytes)))
  return Array.from({ length: count }, (_, index) => `w${writer}:${String(index).padStart(6, "0")}`)
}

/** MessagePack's head of binary data. */
const headBytes = (valueBytes: number): number => valueBytes <= 0xff + 2 ? 2 : valueBytes <= 0xffff + 3 ? 3 : 5

/** A prime, which divides no number of keys here: the value of a key changes each round. */
const valuesCount = 31

export const valuesOf = (valueBytes: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: valuesCount }, (_, value) => {
    const bytes = new Uint8Array(valueBytes - headBytes(valueBytes))
    for (let index = 0; index < bytes.length; index++) bytes[index] = Math.imul(index + 1, 2_654_435_761 + value) >>> 24
    return bytes
  })

export interface Written {
  /** Operations since the start of the process. */
  readonly operations: number
  readonly beganMillis: number
}

/** Milliseconds of the clock that all processes of the machine share. */
export const sharedMillis = (): number => Number(process.hrtime.bigint()) / 1e6

/** Goes on with the load after `from` operations, as fast as the carrier allows. */
export const write = async (
  carrier: Carrier,
  keys: ReadonlyArray<string>,
  values: ReadonlyArray<Uint8Array>,
  from: number,
  limits: { readonly seconds: number; readonly operationsMax: number }
): Promise<Written> => {
  const beganMillis = sharedMillis()
  const endMillis = beganMillis + 1_000 * limits.seconds
  const last = from + limits.operationsMax
  let done = from
  while (done < last && sharedMillis() < endMillis) {
    const before = done
    for (let room = carrier.room(); room > 0 && done < last; room = carrier.room()) {
      for (const upTo = Math.min(last, done + Math.min(room, 256)); done < upTo; done++) {
        carrier.put(keys[done % keys.length], values[done % valuesCount])
      }
    }
    // Acknowledgements and, of McCache, the datagrams themselves have their turn. Who has no room does not spin: the others need
    // the processor, and what is under way lasts for longer.
    await (done > before ? setImmediate() : setTimeout(1))
  }
  await carrier.flush()
  return { operations: done, beganMillis }
}

/** Whether the last writes of a writer that has done so many operations are what is held. */
export const holds = (
  carrier: Carrier,
  keys: ReadonlyArray<string>,
  values: ReadonlyArray<Uint8Array>,
  operations: number
): boolean => {
  if (carrier.content === undefined) return true
  for (let done = Math.max(0, operations - keys.length); done < operations; done++) {
    const held = carrier.content(keys[done % keys.length])
    if (held === undefined || Buffer.compare(held, values[done % valuesCount]) !== 0) return false
  }
  return true
}
