/**
 * The limit that UDP sets in Node: `dgram` multicast on loopback, numbered datagrams full of values and nothing else. The
 * receiver acknowledges every few datagrams how many came; the writer has at most a window of them under way, so that none is
 * lost. Of what McCache does there is no encoding, no key, no stamp, no checksum, no repeat, no `Map`. One writer, one receiver.
 */
import { createSocket } from "node:dgram"
import { serveCarrier } from "../support/ThroughputRole.ts"

const group = "224.0.0.3"
const loopback = "127.0.0.1"
const headBytes = 4
const acknowledgeEvery = 32
const windowMax = 512
const receiveBufferBytes = 4_194_304

/** What the kernel charges a receive buffer for one datagram, about. */
const chargeBytes = (datagramBytes: number): number => 2 ** Math.ceil(Math.log2(datagramBytes + 512)) + 256

serveCarrier(async ({ datagramBytes, index, port, valueBytes, writers }) => {
  const isWriter = index < writers
  const socket = createSocket({
    type: "udp4",
    reuseAddr: !isWriter,
    // Answered at once: Node's own look-up waits a turn for every datagram.
    lookup: (host, _, callback) => callback(null, host, 4)
  })
  await new Promise<void>((resolve) => socket.bind(isWriter ? 0 : port, isWriter ? loopback : group, resolve))
  socket.setRecvBufferSize(receiveBufferBytes)
  const capacity = datagramBytes - headBytes
  const window = Math.min(windowMax, Math.floor(socket.getRecvBufferSize() / 2 / chargeBytes(datagramBytes)))
  let sent = 0
  let acknowledged = 0
  let received = 0
  let receivedBytes = 0
  if (isWriter) {
    socket.setMulticastInterface(loopback)
    socket.on("message", (message) => {
      acknowledged = Math.max(acknowledged, message.readUInt32BE(0))
    })
  } else {
    socket.addMembership(group, loopback)
    socket.on("message", (message, from) => {
      if (message.readUInt32BE(0) !== ++received) throw new Error("A datagram was lost.")
      receivedBytes += message.length - headBytes
      if (received % acknowledgeEvery !== 0) return
      const acknowledgement = Buffer.allocUnsafe(headBytes)
      acknowledgement.writeUInt32BE(received, 0)
      socket.send(acknowledgement, from.port, from.address)
    })
  }

  // None is filled again before the window has moved past it: a send that the system delays reads it later.
  const buffers = Array.from({ length: 2 * window }, () => Buffer.allocUnsafe(datagramBytes))
  let used = headBytes
  const ship = (): void => {
    const datagram = buffers[sent % buffers.length]
    datagram.writeUInt32BE(++sent, 0)
    socket.send(used === datagramBytes ? datagram : datagram.subarray(0, used), port, group)
    used = headBytes
  }

  return {
    met: async () => undefined,
    put: (_, value) => {
      // Only a value that is larger than a datagram is cut. The head that MessagePack would need is sent as well.
      if (used + valueBytes > datagramBytes && valueBytes <= capacity) ship()
      for (let at = 0; at < valueBytes;) {
        const length = Math.min(valueBytes - at, datagramBytes - used)
        buffers[sent % buffers.length].set(value.subarray(at, at + length), used)
        used += length
        at += length
        if (used === datagramBytes) ship()
      }
    },
    room: () => {
      const free = window - (sent - acknowledged)
      return valueBytes > capacity ? Math.floor(free * capacity / valueBytes) : free * Math.floor(capacity / valueBytes)
    },
    flush: async () => {
      if (used > headBytes) ship()
    },
    received: () => Math.floor(receivedBytes / valueBytes),
    checksum: () => "",
    counts: () => ({ datagramsIn: received, datagramsOut: sent })
  }
})
