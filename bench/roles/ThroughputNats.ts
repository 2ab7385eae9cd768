/** NATS's publish and subscribe, by its own client. */
import { connect } from "@nats-io/transport-node"
import { carrier } from "../support/ThroughputMap.ts"
import { serveCarrier } from "../support/ThroughputRole.ts"

serveCarrier(async (setup) => {
  const connection = await connect({ servers: `127.0.0.1:${setup.port}` })
  return carrier({
    publish: (subject, bytes) => connection.publish(subject, bytes),
    subscribe: async (subject, listener) => {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) throw error
          listener(message.data)
        }
      })
      await connection.flush()
    },
    flush: () => connection.flush()
  }, setup)
})
