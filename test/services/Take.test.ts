/** A take from a donor whose answers are made up here. */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Membership from "../../src/domain/Membership.ts"
import type { Request } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Protocol from "../../src/domain/Protocol.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as Cluster from "../../src/runtime/testing/Cluster.ts"
import * as MemberTime from "../../src/services/MemberTime.ts"
import * as Take from "../../src/services/Take.ts"

const writer = "f".repeat(32)

it.effect("asks for the copies of a large bucket in requests that can be sent, however much a datagram holds", () =>
  Effect.gen(function*() {
    yield* TestClock.setTime(Date.UTC(2026, 0))
    const cluster = yield* Cluster.make()
    const { member } = yield* cluster.join("a")
    member.cache("n", { max: 10_000 })
    yield* cluster.advance("1 second")
    const namespace = member.namespaces().get("n") ?? assert.fail("it is open")
    const time = MemberTime.make(yield* Clock.Clock, (now) => now)
    const donor = Membership.add(Membership.make(member.id, Protocol.make()), {
      id: writer,
      address: "b",
      host: "b",
      pid: 1,
      thread: 0,
      version: "1",
      ready: true,
      offsetMillis: 0
    }, 0)
    const items = Array.from({ length: 3_000 }, (_, key) => ({
      key,
      clock: Stamp.fromMillis(time.now()) + key,
      writer,
      kind: 0 as const,
      bytes: 20
    }))
    const { digest, listing } = OperationCodec.replies
    const answers: { readonly [tag: string]: Uint8Array } = {
      DIGEST: digest.encode({
        status: "ok",
        quantum: 0,
        floor: 0,
        forget: 0,
        count: items.length,
        hashes: Array.from({ length: 512 }, (_, lane) => lane === 0 ? 1 : 0),
        settled: []
      }),
      LISTING: listing.encode({ status: "ok", bucket: 0, floor: 0, forget: 0, items })
    }
    const asked: Array<{ readonly request: Request; readonly answered: (reply: Uint8Array) => void }> = []
    Take.start(
      {
        time,
        pieceBytes: 65_000,
        requests: {
          ask: (_, build, answered) => {
            const request = build(asked.length + 1)
            asked.push({ request, answered })
            return request.request
          },
          cancel: () => undefined,
          onReply: () => undefined,
          onLeft: () => undefined,
          onDue: () => undefined,
          nextDue: () => Infinity
        }
      },
      { donor, kind: "join", namespace, conclusive: true, anyQuantum: false },
      () => undefined
    )
    const wanted = new Set<unknown>()
    for (let index = 0; index < asked.length; index++) {
      const { answered, request } = asked[index]
      assert.isAbove(OperationCodec.encodeControl(request).length, 0)
      const answer = answers[request._tag]
      if (answer !== undefined) answered(answer)
      else if (request._tag === "WANT") { for (const key of request.keys) wanted.add(key) }
    }
    assert.strictEqual(wanted.size, items.length)
  }))
