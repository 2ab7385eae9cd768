/** Redis's publish and subscribe, as ioredis does it fastest: commands of one turn go out together. */
import { Redis } from "ioredis"
import { carrier } from "../support/ThroughputMap.ts"
import { serveCarrier } from "../support/ThroughputRole.ts"

serveCarrier((setup) => {
  const options = { port: setup.port, host: "127.0.0.1", enableAutoPipelining: true }
  // A connection that subscribes can do nothing else.
  const publisher = new Redis(options)
  const subscriber = new Redis(options)
  const listeners = new Map<string, (bytes: Uint8Array) => void>()
  subscriber.on(
    "messageBuffer",
    (channel: Buffer, message: Buffer) => listeners.get(channel.toString("latin1"))?.(message)
  )
  let failure: unknown
  const failed = (error: unknown): void => {
    failure = error
  }
  return carrier({
    publish: (subject, bytes) => {
      if (failure !== undefined) throw failure
      publisher.publish(subject, bytes as Buffer).catch(failed)
    },
    subscribe: async (subject, listener) => {
      listeners.set(subject, listener)
      await subscriber.subscribe(subject)
    },
    flush: async () => void await publisher.ping()
  }, setup)
})
