/** A running hash of everything that a simulated network carried: two runs of one seed must agree on it. */
import { createHash } from "node:crypto"

export interface Trace {
  readonly add: (millis: number, from: string, to: string, payload: Uint8Array) => void
  readonly hash: () => string
}

export const make = (): Trace => {
  const hash = createHash("sha256")
  return {
    add: (millis, from, to, payload) => {
      hash.update(`${millis} ${from} ${to} ${payload.length}\n`)
      hash.update(payload)
    },
    hash: () => hash.copy().digest("hex").slice(0, 32)
  }
}
