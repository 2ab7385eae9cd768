/** Who is trusted, and which of its datagrams are fresh. */
import { assert, describe, it } from "@effect/vitest"
import type { Header } from "../../src/domain/Datagram.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as Reassembly from "../../src/domain/Reassembly.ts"
import * as Sessions from "../../src/services/Sessions.ts"

const sender = "0".repeat(31) + "1"

const header = (epoch: number, unicast: boolean, counter: number): Header => ({
  sealed: true,
  unicast,
  keyId: 1,
  sender,
  epoch,
  counter
})

/** A sender that proved itself by a datagram with this header, telling the counters that it had used before. */
const proved = (by: Header, told: { readonly multicast: number; readonly unicast: number }): Sessions.Session => {
  const sessions = Sessions.make({
    protocol: Protocol.make(),
    random: () => 0.5,
    entropy: (bytes) => new Uint8Array(bytes),
    recordBytesMax: () => 1_000_000,
    budget: Reassembly.makeBudget(1_000_000)
  })
  const nonce = Sessions.challenge(sessions, sender, 0) ?? assert.fail("a stranger is challenged")
  const proof = {
    _tag: "PROOF" as const,
    echo: nonce,
    nonce: new Uint8Array(0),
    ...told,
    first: 1,
    ready: true,
    host: "host",
    pid: 1,
    version: "1",
    physicalMillis: 0,
    clock: 0
  }
  return Sessions.prove(sessions, by, "127.0.0.1:1", proof, 1)?.session ?? assert.fail("it is trusted")
}

describe("a sender that proves itself", () => {
  it("is heard from what it sends next, and nothing that it sent before is fresh", () => {
    const session = proved(header(3, true, 21), { multicast: 10_000, unicast: 20 })
    assert.isFalse(Sessions.accept(session, header(3, false, 5_000)))
    assert.isTrue(Sessions.accept(session, header(3, false, 10_001)))
    assert.isFalse(Sessions.accept(session, header(3, false, 10_001)))
  })

  it("as it goes to the next epoch is heard in that, though it told the counters of the former", () => {
    const session = proved(header(4, true, 1), { multicast: 86_400, unicast: 20 })
    for (const counter of [1, 2, 3]) assert.isTrue(Sessions.accept(session, header(4, false, counter)))
  })
})
