/**
 * Traffic of a simulated cluster that does everything: joins, small and large values, deletes, clears, losses, a
 * partition and its repair, metrics, checksums, a reset, a farewell. What mutations begin with.
 */
import * as Effect from "effect/Effect"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as Framing from "../../src/domain/Framing.ts"
import type { Operation } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Packed from "../../src/domain/Packed.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"

export const cryptoKey = Buffer.alloc(32, 7).toString("base64url")

/** The namespaces that every fuzzed cluster has open, one for each mode. */
export const namespaces = { full: "full", partial: "partial", news: "news" } as const

export const open = ({ member }: Cluster.Node): void => {
  member.cache(namespaces.full, { mode: 1 })
  member.cache(namespaces.partial, { mode: 0 })
  member.cache(namespaces.news, { mode: 2 })
}

/** Every datagram that was sent, in order. */
export const datagrams = Effect.fnUntraced(function*(keyed: boolean) {
  const captured: Array<Uint8Array> = []
  yield* Effect.gen(function*() {
    const cluster = yield* Cluster.make({
      // No siege has it: members of one seed have the same ids.
      seed: 987_654_321,
      options: { cryptoKey: keyed ? cryptoKey : undefined, cacheTtl: 0 },
      faults: { loss: 0.06, delay: { minMillis: 0.5, maxMillis: 3 } }
    })
    cluster.hub.tap((sent) => captured.push(sent.payload))
    const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
    open(a)
    open(b)
    yield* cluster.advance("2 seconds")
    for (const name of Object.values(namespaces)) {
      const [here, there] = [a.member.cache<unknown>(name), b.member.cache<unknown>(name)]
      for (let index = 0; index < 40; index++) here.set(`key-${index}`, values[index % values.length])
      for (let index = 0; index < 10; index++) there.set(index / 2, index, { ttl: "1 minute" })
      here.set("large", "x".repeat(9_000))
      yield* cluster.advance("500 millis")
      for (let index = 0; index < 10; index++) there.delete(`key-${index}`)
    }
    yield* cluster.advance("2 seconds")
    const c = yield* cluster.join("c")
    open(c)
    yield* cluster.advance("3 seconds")
    cluster.partition([["a"], ["b", "c"]])
    for (let index = 0; index < 20; index++) {
      a.member.cache(namespaces.full).set(`apart-${index}`, index)
      b.member.cache(namespaces.full).set(`there-${index}`, "y".repeat(4_000))
    }
    yield* cluster.advance("5 seconds")
    cluster.heal()
    yield* cluster.advance("10 seconds")
    yield* Effect.forkChild(a.member.clusterMetrics())
    yield* Effect.forkChild(b.member.clusterChecksum({ name: namespaces.full, key: "key-20" }))
    yield* Effect.forkChild(a.member.clear({ node: b.member.id.slice(0, 8), name: namespaces.full }))
    yield* cluster.advance("3 seconds")
    c.member.cache(namespaces.full).clear()
    yield* a.member.clear({})
    yield* cluster.advance("2 seconds")
    yield* cluster.leave("c")
    yield* cluster.advance("2 seconds")
  }).pipe(Effect.scoped)
  return captured
})

const values: ReadonlyArray<unknown> = [
  "text",
  17,
  { name: "value", list: [1, 2, 3], nested: { deep: true, none: undefined } },
  new Map<unknown, unknown>([["a", new Set([1, 2])], [1, new Date(0)]]),
  new Error("broken", { cause: /pattern/gi }),
  [new Float64Array([1, 2, 3]), 2n ** 70n, -0, "\ud800"]
]

/** What an unsealed capture holds inside. */
export interface Contents {
  readonly datagrams: ReadonlyArray<Uint8Array>
  readonly bodies: ReadonlyArray<Uint8Array>
  readonly records: ReadonlyArray<Uint8Array>
  readonly values: ReadonlyArray<Uint8Array>
  /** Answers to requests, whole. */
  readonly replies: ReadonlyArray<Uint8Array>
  readonly tags: ReadonlySet<string>
}

const sender = "0".repeat(32)

/** Takes an unsealed capture apart. */
export const contents = (captured: ReadonlyArray<Uint8Array>): Contents => {
  const bodies: Array<Uint8Array> = []
  const records: Array<Uint8Array> = []
  const written: Array<Uint8Array> = []
  const replies: Array<Uint8Array> = []
  const tags = new Set<string>()
  const see = (operation: Operation | undefined): void => {
    if (operation === undefined) return
    tags.add(operation._tag)
    if (operation._tag === "PUT" && operation.value !== undefined) written.push(Packed.bytes(operation.value))
    if (operation._tag === "REPLY" && operation.bytes.length === operation.total) replies.push(operation.bytes)
  }
  for (const datagram of captured) {
    const body = datagram.subarray(Datagram.headerBytes, datagram.length - 4)
    bodies.push(body)
    const preceding = new WriteCodec.Preceding()
    Framing.readBody(body, {
      data: () => undefined,
      whole: (bytes, start, end) => {
        records.push(bytes.subarray(start, end))
        see(OperationCodec.decode(bytes, sender, start, end, preceding))
      },
      part: () => undefined
    })
  }
  return { datagrams: captured, bodies, records, values: written, replies, tags }
}
