/**
 * What the peers with a server have in common. A value travels as a MessagePack envelope of key and bytes; who subscribes puts
 * it into a `Map`, as bytes, as McCache does. A server tells a publisher nothing of who listens, so the subscribers acknowledge
 * to each writer how many came, and the slowest one opens its window.
 */
import { Packr, Unpackr } from "msgpackr"
import { crc32 } from "node:zlib"
import { type Carrier, type Setup, underWayMax } from "./ThroughputLoad.ts"

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, copyBuffers: true })

/** The server's part: subjects to publish on. */
export interface Wire {
  readonly publish: (subject: string, bytes: Uint8Array) => void
  /** Resolves when it is subscribed. */
  readonly subscribe: (subject: string, listener: (bytes: Uint8Array) => void) => Promise<void>
  readonly flush: () => Promise<void>
}

const dataOf = (writer: number): string => `data.${writer}`
const acknowledgementsOf = (writer: number): string => `acknowledgements.${writer}`

export const carrier = async (wire: Wire, { index, members, valueBytes, writers }: Setup): Promise<Carrier> => {
  const window = underWayMax(valueBytes)
  const acknowledgeEvery = Math.max(1, window >> 3)
  const map = new Map<string, Uint8Array>()
  let received = 0
  for (let writer = 0; writer < writers; writer++) {
    if (writer === index) continue
    let ofWriter = 0
    await wire.subscribe(dataOf(writer), (bytes) => {
      const [key, value] = unpackr.unpack(bytes) as [string, Uint8Array]
      map.set(key, value)
      received++
      if (++ofWriter % acknowledgeEvery === 0) wire.publish(acknowledgementsOf(writer), packr.pack([index, ofWriter]))
    })
  }
  const acknowledged = Array.from({ length: members }, (_, member) => member === index ? Infinity : 0)
  let slowest = 0
  let sent = 0
  if (index < writers) {
    await wire.subscribe(acknowledgementsOf(index), (bytes) => {
      const [member, count] = unpackr.unpack(bytes) as [number, number]
      acknowledged[member] = count
      slowest = Math.min(...acknowledged)
    })
  }
  return {
    // Everybody has subscribed when it is open.
    met: async () => undefined,
    put: (key, value) => {
      if (writers > 1) map.set(key, value)
      sent++
      wire.publish(dataOf(index), packr.pack([key, value]))
    },
    room: () => window - (sent - slowest),
    flush: wire.flush,
    received: () => received,
    content: (key) => map.get(key),
    checksum: () => {
      let sum = 0
      for (const [key, value] of map) sum = (sum + crc32(value, crc32(key))) >>> 0
      return `${map.size}-${sum}`
    },
    counts: () => ({})
  }
}
