/**
 * The subjects of the latency suite, each with its two sides: one that sends a value under a key, and one that tells the
 * first moment at which a reader has that value in its hands: McCache's, out of the cache, in the callback or listener
 * that says it changed; the peers', decoded and stored in a `Map`. The bare ping stores as well, but after it took the time.
 */
import { connect } from "@nats-io/transport-node"
import { Redis } from "ioredis"
import { pack, unpack } from "msgpackr"
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { open, type Options } from "../../src/standalone.ts"
import * as Probes from "./LatencyProbes.ts"
import { expect } from "./Suite.ts"

/** Readies a write, and gives what sends it. */
export type Prepare = (key: string, value: Probes.Value) => () => void
/** What a receiver calls; without a time, it is now. */
export type Readable = (key: string, value: Probes.Value | undefined, at?: bigint) => void

interface Subject {
  readonly sender: (setup: Probes.Setup, receivers: number) => Promise<Prepare>
  /** Resolves when it receives, with what is to be done before the first probe. */
  readonly receiver: (setup: Probes.Setup, readable: Readable) => Promise<() => void>
}

const group = "224.0.0.3"
const loopback = "127.0.0.1"

// ---------------------------------------------------------------------------------------------------- McCache

const optionsOf = ({ cluster, cryptoKey, port }: Probes.Setup): Options => ({
  cluster,
  cryptoKey,
  multicastIp: `${group}:${port}`,
  // With a key it would be the system's choice.
  interface: loopback,
  cacheMax: 32_768,
  // The callback must tell of keys that were looked up when the case began.
  callbackWin: "1 hour",
  logLevel: "error"
})

const sender: Subject["sender"] = async (setup, receivers) => {
  const member = await open(optionsOf(setup), { env: {} })
  const cache = member.cache<Probes.Value>("latency")
  await member.ready()
  while (member.members().filter(({ state }) => state === "ready").length < receivers) await sleep(20)
  for (let sequence = 0; sequence < setup.probes; sequence++) {
    cache.set(Probes.probeKey(sequence), Probes.valueOf(Probes.before))
  }
  await member.flush()
  return (key, value) => () => void cache.set(key, value)
}

/** `onChange` is called after the fold of a batch, for keys that were looked up: it costs other keys nothing. */
const mccache: Subject = {
  sender,
  receiver: async (setup, readable) => {
    const member = await open(optionsOf(setup), { env: {} })
    const cache = member.cache<Probes.Value>("latency", {
      onChange: ({ key }) => readable(String(key), cache.get(key))
    })
    await member.ready()
    return () => {
      for (let sequence = 0; sequence < setup.probes; sequence++) {
        expect(cache.get(Probes.probeKey(sequence))?.sequence === Probes.before, `probe ${sequence} is not there`)
      }
    }
  }
}

/** The listener hears of every change, of any key. */
const mccacheChange: Subject = {
  sender,
  receiver: async (setup, readable) => {
    const member = await open(optionsOf(setup), { env: {} })
    const cache = member.cache<Probes.Value>("latency")
    cache.on("change", ({ key }) => readable(String(key), cache.get(key)))
    await member.ready()
    return () => undefined
  }
}

// ---------------------------------------------------------------------------------------------------- peers

/** What the peers' receivers do with what arrived. */
const storing = (readable: Readable): (bytes: Uint8Array, at?: bigint) => void => {
  const entries = new Map<string, Probes.Value>()
  return (bytes, at) => {
    const [key, value] = unpack(bytes) as [string, Probes.Value]
    entries.set(key, value)
    readable(key, value, at)
  }
}

/** A socket that hears the group. */
const join = async (port: number, hear: (bytes: Uint8Array) => void): Promise<Socket> => {
  const socket = createSocket({ type: "udp4", reuseAddr: true }).bind({ port, address: group })
  await once(socket, "listening")
  socket.addMembership(group, loopback)
  socket.setRecvBufferSize(4_194_304)
  return socket.on("message", hear)
}

/** The bare ping of the budget: encoded before its time begins, decoded after it ends. */
const dgram: Subject = {
  sender: async ({ port }) => {
    const socket = createSocket("udp4").bind({ port: 0, address: loopback })
    await once(socket, "listening")
    socket.setMulticastInterface(loopback)
    socket.setMulticastLoopback(true)
    return (key, value) => {
      const bytes = pack([key, value])
      return () => socket.send(bytes, port, group)
    }
  },
  receiver: async ({ port }, readable) => {
    const store = storing(readable)
    await join(port, (bytes) => store(bytes, Probes.now()))
    return () => undefined
  }
}

/**
 * The least that a replica could do: it encodes, stores and sends on the way, decodes and stores before it takes the time, and hears
 * its own datagrams, as it is in the group itself. No stamp, no number, no checksum, no repeat, no batch.
 */
const dgramMap: Subject = {
  sender: async ({ port }) => {
    const socket = await join(port, () => undefined)
    socket.setMulticastInterface(loopback)
    socket.setMulticastLoopback(true)
    const entries = new Map<string, Uint8Array>()
    return (key, value) => () => {
      const bytes = pack([key, value])
      entries.set(key, bytes)
      socket.send(bytes, port, group)
    }
  },
  receiver: async ({ port }, readable) => {
    const store = storing(readable)
    await join(port, (bytes) => store(bytes))
    return () => undefined
  }
}

const channel = "latency"

const redis: Subject = {
  sender: async ({ port }) => {
    const client = new Redis({ host: loopback, port })
    await client.ping()
    return (key, value) => () => void client.publish(channel, pack([key, value]))
  },
  receiver: async ({ port }, readable) => {
    const client = new Redis({ host: loopback, port })
    const store = storing(readable)
    client.on("messageBuffer", (_, bytes: Uint8Array) => store(bytes))
    await client.subscribe(channel)
    return () => undefined
  }
}

const nats: Subject = {
  sender: async ({ port }) => {
    const connection = await connect({ servers: `${loopback}:${port}` })
    return (key, value) => () => connection.publish(channel, pack([key, value]))
  },
  receiver: async ({ port }, readable) => {
    const connection = await connect({ servers: `${loopback}:${port}` })
    const store = storing(readable)
    connection.subscribe(channel, { callback: (_, message) => store(message.data) })
    await connection.flush()
    return () => undefined
  }
}

export const subjects: { readonly [name: string]: Subject } = {
  mccache,
  "mccache-sealed": mccache,
  "mccache-change": mccacheChange,
  dgram,
  "dgram-map": dgramMap,
  redis,
  nats
}
