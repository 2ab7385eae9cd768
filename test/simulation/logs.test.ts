/** What members log of their cluster, and of what strangers do to it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type { Options } from "../../src/domain/Configuration.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as Counters from "../../src/services/Counters.ts"
import * as MemberLog from "../../src/services/MemberLog.ts"
import { Cluster } from "../../src/testing.ts"
import * as Attackers from "./support/Attacker.ts"

interface Line {
  readonly level: string
  readonly message: string
  readonly [annotation: string]: unknown
}

const key = "sjQNjXGt_AygJrrFUu7C5hN6voq9a9WBBorVXkuD3Xc="

/** Runs with a recorder of all lines at or above a level. */
const recorded = <A, E, R>(
  level: LogLevel.LogLevel,
  run: (lines: Array<Line>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, never>> => {
  const lines: Array<Line> = []
  const recorder = Logger.map(Logger.formatStructured, ({ annotations, level, message }) => {
    lines.push({ ...annotations, level, message: String(message) })
  })
  return run(lines).pipe(
    Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>([recorder])),
    Effect.provideService(References.MinimumLogLevel, level)
  )
}

const operation = (lines: ReadonlyArray<Line>, tag: string) => lines.filter((line) => line.operation === tag)

/** Two members, one write, one delete and one clear. */
const exchange = Effect.fnUntraced(function*(options: Options) {
  const cluster = yield* Cluster.make({ options })
  const a = yield* cluster.join("a")
  const b = yield* cluster.join("b")
  yield* cluster.advance("2 seconds")
  const users = yield* a.mccache.cache<string>("users")
  yield* b.mccache.cache<string>("users")
  yield* cluster.advance("2 seconds")
  yield* users.set("secret key", "secret value")
  const metadata = yield* users.metadata("secret key")
  yield* cluster.advance("1 second")
  yield* users.delete("secret key")
  yield* cluster.advance("1 second")
  yield* users.clear()
  yield* cluster.advance("1 second")
  return { a, b, cluster, metadata }
})

describe("at level debug", () => {
  it.effect("each write is a line where it leaves and where it arrives, with all that identifies it", () =>
    recorded("Debug", (lines) =>
      Effect.gen(function*() {
        const { a, b, metadata } = yield* exchange({ cryptoKey: key })
        const [sent, received, ...more] = operation(lines, "PUT")
        assert.deepStrictEqual(more, [])
        assert.isTrue(metadata._tag === "Some")
        const stamp = metadata._tag === "Some" ? Stamp.format(metadata.value.stamp) : ""
        const crc = metadata._tag === "Some" ? metadata.value.crc : 0
        assert.deepInclude(sent, {
          level: "DEBUG",
          message: "McCache sent PUT",
          member: a.member.id.slice(0, 8),
          receiver: "all",
          namespace: "users",
          stamp,
          checksum: crc.toString(16).padStart(8, "0")
        })
        assert.deepInclude(received, {
          level: "DEBUG",
          message: "McCache received PUT",
          member: b.member.id.slice(0, 8),
          sender: a.member.id.slice(0, 8),
          namespace: "users",
          key: sent.key,
          stamp,
          checksum: sent.checksum
        })
        assert.match(String(sent.key), /^[0-9a-f]{16}$/)
        for (const tag of ["DEL", "CLEAR"]) {
          assert.deepStrictEqual(operation(lines, tag).map(({ message }) => message), [
            `McCache sent ${tag}`,
            `McCache received ${tag}`
          ])
        }
        assert.strictEqual(operation(lines, "DEL")[0].key, sent.key)
        assert.notInclude(JSON.stringify(lines), "secret")
        assert.deepStrictEqual(operation(lines, "PULSE"), [])
      })))

  it.effect("keys are shown where they may be, and hashed otherwise for every cluster's key", () =>
    recorded("Debug", (lines) =>
      Effect.gen(function*() {
        yield* exchange({ logKeys: "plain" })
        assert.strictEqual(operation(lines, "PUT")[0].key, "secret key")
        lines.splice(0)
        yield* exchange({})
        const plain = operation(lines, "PUT")[0].key
        lines.splice(0)
        yield* exchange({ cryptoKey: key })
        const keyed = operation(lines, "PUT")[0].key
        assert.match(String(plain), /^[0-9a-f]{16}$/)
        assert.notStrictEqual(plain, keyed)
      })))

  it.effect("more operations than fit are left out, and counted", () =>
    recorded("Debug", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({ options: { cacheMax: 50_000 }, datagramBytesMax: 60_000 })
        const a = yield* cluster.join("a")
        yield* cluster.join("b")
        yield* cluster.advance("2 seconds")
        const cache = yield* a.mccache.cache<number>("n")
        yield* cluster.advance("2 seconds")
        const count = 40_000
        yield* cache.setMany(Array.from({ length: count }, (_, index) => [index, index] as const))
        yield* cluster.advance("5 seconds")
        const missing = lines.reduce(
          (sum, { leftOut, message }) => sum + (message.includes("left out") ? Number(leftOut) : 0),
          0
        )
        const puts = operation(lines, "PUT").filter(({ message }) => message.includes("sent")).length
        assert.isAbove(missing, 0)
        assert.isAbove(puts, 0)
        assert.strictEqual(a.member.localMetrics().operations.out.PUT, count)
        // Those that others repeat, or that arrive, are left out, too.
        assert.isAtLeast(puts + missing, count)
      })))
})

describe("members whose namespaces have other sizes", () => {
  it.effect("are told of in both logs, once, also where one heard of the other's before it opened its own", () =>
    recorded("Warn", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make()
        const a = yield* cluster.join("a")
        const b = yield* cluster.join("b")
        yield* a.mccache.cache("n", { max: 10 })
        yield* cluster.advance("5 seconds")
        yield* b.mccache.cache("n", { max: 20 })
        yield* cluster.advance("10 seconds")
        const told = lines.filter(({ message }) => message.includes("differs from member"))
        assert.sameMembers(told.map(({ member }) => member), [a, b].map(({ member }) => member.id.slice(0, 8)))
        yield* cluster.kill("b")
        yield* cluster.advance("30 seconds")
        const c = yield* cluster.join("c")
        yield* c.mccache.cache("n", { max: 20 })
        yield* cluster.advance("5 seconds")
        assert.strictEqual(lines.filter(({ message }) => message.includes("differs from member")).length, 4)
      })))
})

describe("at level trace", () => {
  it.effect("also what the protocol says of itself is a line", () =>
    recorded("Trace", (lines) =>
      Effect.gen(function*() {
        yield* exchange({})
        for (const tag of ["PULSE", "ACK", "PROOF"]) assert.isNotEmpty(operation(lines, tag), tag)
        assert.isTrue(operation(lines, "PULSE").every(({ level }) => level === "TRACE"))
      })))
})

describe("at level info", () => {
  it.effect("who joins, leaves and disappears is told with what to do, and no operation", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const { a, b, cluster } = yield* exchange({})
        const c = yield* cluster.join("c")
        yield* cluster.advance("2 seconds")
        yield* cluster.leave("b")
        yield* cluster.kill("c")
        yield* cluster.advance("20 seconds")
        const ofA = lines.filter(({ member }) => member === a.member.id.slice(0, 8))
        const named = (id: string) => id.slice(0, 8)
        assert.deepStrictEqual(
          ofA.map(({ level, message, peer }) => [level, peer, message.split(" ")[4].replace(":", "")]),
          [
            ["INFO", named(b.member.id), "joined"],
            ["INFO", named(c.member.id), "joined"],
            ["INFO", named(b.member.id), "left"],
            ["INFO", named(c.member.id), "has"],
            ["WARN", named(c.member.id), "is"]
          ]
        )
        assert.match(ofA[4].message, /is removed: .* look for a stalled event loop/)
        assert.isTrue(lines.every((line) => line.operation === undefined))
      })))

  it.effect("what members answer to people is a line of each once a minute", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make()
        const nodes = [yield* cluster.join("a"), yield* cluster.join("b")]
        for (const { mccache } of nodes) yield* mccache.cache("n")
        yield* cluster.advance("2 seconds")
        const ask = Effect.fnUntraced(function*() {
          lines.splice(0)
          for (const question of [nodes[0].mccache.clusterMetrics(), nodes[0].mccache.clusterChecksum()]) {
            const asking = yield* Effect.forkChild(question)
            yield* cluster.advance("1 second")
            yield* Fiber.join(asking)
          }
          return lines.map(({ checksum, level, member, metrics }) => [
            level,
            member,
            metrics === undefined ? checksum : JSON.parse(String(metrics)).member
          ])
        })
        const told = nodes.map(({ member }) => ["INFO", member.id.slice(0, 8), member.id])
        const sums = nodes.map(({ member }) => [
          "INFO",
          member.id.slice(0, 8),
          JSON.stringify(member.localChecksum())
        ])
        assert.sameDeepMembers(yield* ask(), [...told, ...sums])
        yield* cluster.advance("50 seconds")
        assert.deepStrictEqual(yield* ask(), [])
        yield* cluster.advance("10 seconds")
        assert.sameDeepMembers(yield* ask(), [...told, ...sums])
      })))

  it.effect("a host's name moves nobody's cursor", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const log = MemberLog.make({ self: "0".repeat(32), ticks: () => 0, counters: Counters.make() })
        const member = "1".repeat(32)
        log.event({ type: "joined", member }, { host: "web\u001b[2J\n", pid: 7, thread: 0 })
        log.event({ type: "refused", member, detail: "\u001b[2J\n" }, { host: "web", pid: 7, thread: 0 })
        yield* log.take() ?? Effect.void
        assert.deepStrictEqual(lines.map(({ message }) => message), [
          "McCache: member 11111111 (web?[2J?:7) joined",
          "McCache: member 11111111 (web:7) refuses this member's messages: \"\\u001b[2J\\n\""
        ])
      })))

  it.effect("options that a member tells move nobody's cursor either", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const log = MemberLog.make({ self: "0".repeat(32), ticks: () => 0, counters: Counters.make() })
        log.event({ type: "conflict", namespace: "a", member: "1".repeat(32), detail: "mode\u009b2J\n" }, undefined)
        yield* log.take() ?? Effect.void
        assert.match(lines[0].message, /^McCache: mode\\u009b2J\\u000a: they ignore/)
      })))

  it.effect("what is left out is told at the level of what is left out", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        let ticks = 0
        const log = MemberLog.make({ self: "0".repeat(32), ticks: () => ticks, counters: Counters.make() })
        for (let times = 0; times < 3; times++) log.event({ type: "lost", member: "1".repeat(32) }, undefined)
        for (let times = 0; times < 3; times++) log.event({ type: "lagging", member: "1".repeat(32) }, undefined)
        ticks = 2_000
        log.look()
        yield* log.take() ?? Effect.void
        // Lost datagrams are of level debug, and so is how many more there were.
        assert.deepStrictEqual(lines.map(({ leftOut, level }) => [level, leftOut]), [["WARN", undefined], ["WARN", 2]])
      })))
})

describe("what strangers cause", () => {
  it.effect("is a line a second for each reason, with how many, where from and what to do", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make({ options: { cryptoKey: key } })
        const attacker = Attackers.make(cluster)
        const [, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
        yield* cluster.advance("3 seconds")
        // What a member sent itself it does not look at.
        const payload = attacker.captured.find(({ from }) => from === "a")?.payload.slice() ?? new Uint8Array(1)
        payload[payload.length - 1] ^= 1
        lines.splice(0)
        const [times, seconds] = [50, 10]
        for (let index = 0; index < times * seconds; index++) {
          yield* attacker.injectToAll(payload)
          yield* attacker.injectToAll(Uint8Array.of(index))
          yield* cluster.advance(1_000 / times)
        }
        yield* cluster.advance("3 seconds")
        for (const refusal of ["unauthentic", "malformed"]) {
          const told = lines.filter((line) => line.refusal === refusal && line.member === b.member.id.slice(0, 8))
          assert.isAtLeast(told.length, seconds - 1)
          assert.isAtMost(told.length, seconds + 1)
          assert.strictEqual(told.reduce((sum, { count }) => sum + Number(count), 0), times * seconds)
          for (const line of told) assert.deepInclude(line, { level: "WARN", lastFrom: "attacker" })
        }
        assert.include(lines.find((line) => line.refusal === "malformed")?.message, "MCCACHE_MULTICAST_IP")
      })))

  it.effect("of another cluster is told once", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make()
        const a = yield* cluster.join("a")
        yield* cluster.join("other", { cluster: "another" })
        yield* cluster.advance("20 seconds")
        const told = lines.filter(({ member, refusal }) => refusal === "foreign" && member === a.member.id.slice(0, 8))
        assert.strictEqual(told.length, 1)
        assert.include(told[0].message, "MCCACHE_CRYPTO_KEY differ")
      })))

  it.effect("as a flood of joins is a line a second, and nothing is lost of the count", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make()
        const a = yield* cluster.join("a")
        yield* cluster.advance("1 second")
        const joins = 20
        for (let index = 0; index < joins; index++) yield* cluster.join(`m${index}`)
        yield* cluster.advance("5 seconds")
        const ofA = lines.filter(({ member }) => member === a.member.id.slice(0, 8))
        const told = ofA.filter(({ message }) => message.includes(" joined"))
        assert.isAtMost(told.length, 4)
        const leftOut = ofA.reduce((sum, line) => sum + Number(line.leftOut ?? 0), 0)
        assert.strictEqual(told.filter(({ message }) => message.includes("member")).length + leftOut, joins)
      })))
})

describe("a callback that always throws", () => {
  it.effect("is a line a second", () =>
    recorded("Info", (lines) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.make()
        const [a, b] = [yield* cluster.join("a"), yield* cluster.join("b")]
        yield* cluster.advance("2 seconds")
        const left = yield* a.mccache.cache<number>("n")
        const right = yield* b.mccache.cache<number>("n", {
          onChange: () => {
            throw new Error("not now")
          }
        })
        yield* left.set("x", 0)
        yield* cluster.advance("1 second")
        const times = 40
        for (let index = 1; index <= times; index++) {
          yield* right.get("x")
          yield* left.set("x", index)
          yield* cluster.advance("50 millis")
        }
        const told = lines.filter(({ message }) => message.includes("onChange"))
        assert.strictEqual(b.member.localMetrics().coherence.callbackFailures, times)
        assert.isAtLeast(told.length, 2)
        assert.isAtMost(told.length, 3)
        assert.include(told[0].message, "not now")
      })))
})
