/** What is particular to real sockets. What every network promises is in `NetworkConformance.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as Dgram from "node:dgram"
import { once } from "node:events"
import { syncBuiltinESMExports } from "node:module"
import * as Interfaces from "../../src/runtime/Interfaces.ts"
import * as UdpNetwork from "../../src/runtime/UdpNetwork.ts"
import type { Received } from "../../src/services/Network.ts"

const group = "239.255.77.4"
let lastPort = 20_000 + ((process.pid * 7) % 12_000)

const options = (changes: Partial<UdpNetwork.Options> = {}): UdpNetwork.Options => ({
  group,
  port: ++lastPort,
  interface: "127.0.0.1",
  hops: 1,
  receiveBufferBytes: 4_194_304,
  datagramBytesMax: 1_472,
  random: () => 0.5,
  ...changes
})

const pair = (changes: Partial<UdpNetwork.Options> = {}) => {
  const same = options(changes)
  return [UdpNetwork.make(same), UdpNetwork.make(same)] as const
}

/** Pulls what there is until the condition holds, or fails the test in time. */
const pullUntil = <E>(
  pull: Effect.Effect<ReadonlyArray<Received>, E>,
  done: (received: ReadonlyArray<Received>) => boolean
) =>
  Effect.gen(function*() {
    const received: Array<Received> = []
    while (!done(received)) received.push(...(yield* pull))
    return received
  }).pipe(Effect.timeout("5 seconds"))

/** A socket of another program. */
const foreign = (port: number, address: string, reuseAddr: boolean) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Dgram.createSocket({ type: "udp4", reuseAddr })
      socket.bind(port, address)
      await once(socket, "listening")
      return socket
    }),
    (socket) => Effect.sync(() => socket.close())
  )

/** The sockets that are created while the effect runs: the own socket, then the group's, for each opening. */
const recordingSockets = <A, E, R>(use: (sockets: ReadonlyArray<Dgram.Socket>) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const { default: dgram } = await import("node:dgram")
      const { createSocket } = dgram
      const sockets: Array<Dgram.Socket> = []
      dgram.createSocket = (settings: Dgram.SocketType | Dgram.SocketOptions) => {
        const socket = typeof settings === "string" ? createSocket(settings) : createSocket(settings)
        sockets.push(socket)
        return socket
      }
      syncBuiltinESMExports()
      return {
        sockets,
        restore: () => {
          dgram.createSocket = createSocket
          syncBuiltinESMExports()
        }
      }
    }),
    ({ sockets }) => use(sockets),
    ({ restore }) => Effect.sync(restore)
  )

describe("opening", () => {
  it.live("says that the port is held by a program that does not share it", () =>
    Effect.gen(function*() {
      const own = options()
      yield* foreign(own.port, "0.0.0.0", false)
      const error = yield* Effect.flip(UdpNetwork.make(own).receive)
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.include(error.message, `port ${own.port} is held by a program that does not share it`)
      assert.include(error.message, "MCCACHE_MULTICAST_IP")
    }))

  it.live("shares the port with programs that share it", () =>
    Effect.gen(function*() {
      const own = options()
      yield* foreign(own.port, process.platform === "linux" ? group : "0.0.0.0", true)
      const [one, other] = [UdpNetwork.make(own), UdpNetwork.make(own)]
      yield* Effect.asVoid(one.receive)
      const pull = yield* other.receive
      yield* one.multicast([Uint8Array.of(1)])
      assert.strictEqual((yield* Effect.timeout(pull, "5 seconds")).length, 1)
    }))

  it.live("says which interfaces there are when the one named is not", () =>
    Effect.gen(function*() {
      for (const name of ["nosuch0", "203.0.113.9", "auto"]) {
        const error = yield* Effect.flip(UdpNetwork.make(options({ interface: name })).receive)
        assert.strictEqual(error.reason._tag, "NetworkFailed")
        assert.include(error.message, `on the interface ${name}`)
        assert.include(error.message, "127.0.0.1")
        assert.include(error.message, "MCCACHE_INTERFACE")
      }
    }))

  it.live("says that a group is none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(UdpNetwork.make(options({ group: "127.0.0.1" })).receive)
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.include(error.message, "127.0.0.1:")
    }))

  it.live("leaves no socket behind when it fails", () =>
    recordingSockets((sockets) =>
      Effect.gen(function*() {
        yield* Effect.flip(Effect.scoped(UdpNetwork.make(options({ group: "127.0.0.1" })).receive))
        assert.isNotEmpty(sockets)
        for (const socket of sockets) assert.throws(() => socket.address())
      })
    ))

  it.live("takes an interface by name", () =>
    Effect.gen(function*() {
      const name = Interfaces.list("IPv4").find((one) => one.loopback)?.name ?? "no loopback"
      const [one, other] = pair({ interface: name })
      yield* Effect.asVoid(one.receive)
      const pull = yield* other.receive
      yield* one.multicast([Uint8Array.of(1)])
      const [received] = yield* Effect.timeout(pull, "5 seconds")
      assert.match(received.from, /^127\.0\.0\.1:\d+$/)
    }))

  it.live("gets a smaller receive buffer where the system gives no more, and says so", () =>
    Effect.gen(function*() {
      const member = UdpNetwork.make(options({ receiveBufferBytes: 2 ** 40 }))
      const small = UdpNetwork.make(options({ receiveBufferBytes: 65_536 }))
      yield* Effect.asVoid(member.receive)
      yield* Effect.asVoid(small.receive)
      assert.isAtLeast(member.receiveBufferBytes(), small.receiveBufferBytes())
      assert.isAtMost(small.receiveBufferBytes(), 131_072)
    }))
})

describe("reading", () => {
  it.live("counts what the kernel dropped because nobody read", () =>
    Effect.gen(function*() {
      const [sender, slow] = pair({ receiveBufferBytes: 65_536 })
      yield* Effect.asVoid(sender.receive)
      const pull = yield* slow.receive
      // Sent without a pause in which this process could read.
      yield* Effect.all(
        Array.from({ length: 40 }, () => sender.multicast(Array.from({ length: 32 }, () => new Uint8Array(1_472)))),
        { concurrency: "unbounded" }
      )
      yield* sender.multicast([Uint8Array.of(1)])
      yield* Effect.sleep("50 millis")
      const received = yield* pullUntil(pull, (all) => all.length > 0)
      const { receiveOverflow } = slow.drops()
      if (process.platform === "linux") assert.isAbove(receiveOverflow, 0)
      assert.isAtMost(received.length + receiveOverflow, 40 * 32 + 1)
    }))

  it.live("on loopback, drops what did not come from loopback", () =>
    recordingSockets((sockets) =>
      Effect.gen(function*() {
        const [sender, member] = pair()
        const pull = yield* member.receive
        const [, groupSocket] = sockets
        yield* Effect.asVoid(sender.receive)
        const from = { family: "IPv4" as const, port: 4_000, size: 1 }
        groupSocket.emit("message", Buffer.of(1), { ...from, address: "192.0.2.9" })
        groupSocket.emit("message", Buffer.of(2), { ...from, address: "127.0.0.9" })
        const received = yield* pullUntil(pull, (all) => all.length > 0)
        assert.deepStrictEqual(received.map((one) => [one.payload[0], one.from]), [[2, "127.0.0.9:4000"]])
      })
    ))

  it.live("hears neither unicast to the group's port nor other groups on it", () =>
    Effect.gen(function*() {
      if (process.platform !== "linux") return
      const own = options()
      const [sender, member, other] = [
        UdpNetwork.make(own),
        UdpNetwork.make(own),
        UdpNetwork.make({ ...own, group: "239.255.77.5" })
      ]
      const pull = yield* member.receive
      yield* Effect.asVoid(sender.receive)
      yield* Effect.asVoid(other.receive)
      yield* other.multicast([Uint8Array.of(1)])
      yield* other.unicast(`127.0.0.1:${own.port}`, [Uint8Array.of(2)])
      yield* sender.multicast([Uint8Array.of(3)])
      const received = yield* pullUntil(pull, (all) => all.length > 0)
      assert.deepStrictEqual(received.map(({ payload }) => payload[0]), [3])
    }))

  for (const [which, index] of [["own", 0], ["group's", 1]] as const) {
    it.live(`fails the pull when the ${which} socket dies, and works again once opened anew`, () =>
      recordingSockets((sockets) =>
        Effect.gen(function*() {
          const [member, other] = pair()
          const scope = yield* Scope.make()
          const pull = yield* Scope.provide(member.receive, scope)
          const waiting = yield* Effect.forkChild(Effect.flip(pull), { startImmediately: true })
          sockets[index].emit("error", new Error("recvmsg ENETDOWN"))
          const error = yield* Effect.timeout(Fiber.join(waiting), "5 seconds")
          assert.strictEqual(error.reason._tag, "NetworkFailed")
          assert.include(error.message, "recvmsg ENETDOWN")
          yield* member.multicast([Uint8Array.of(1)])
          assert.strictEqual(member.drops().sendFailures, 1)
          yield* Scope.close(scope, Exit.void)

          const again = yield* member.receive
          const pullOfOther = yield* other.receive
          yield* other.multicast([Uint8Array.of(2)])
          assert.strictEqual((yield* Effect.timeout(again, "5 seconds"))[0].payload[0], 2)
          yield* member.multicast([Uint8Array.of(3)])
          const [received] = yield* Effect.timeout(pullOfOther, "5 seconds")
          assert.strictEqual(received.from, member.self())
        })
      ))
  }
})

describe("sending", () => {
  it.live("counts failures, and gives the sockets up when every multicast fails", () =>
    recordingSockets((sockets) =>
      Effect.gen(function*() {
        const [member] = pair()
        const pull = yield* member.receive
        const [own] = sockets
        const { send } = own
        const failure = Object.assign(new Error("send ENETUNREACH 239.255.77.4"), { code: "ENETUNREACH" })
        const failing = (...parameters: ReadonlyArray<unknown>): void => {
          const callback = parameters.at(-1)
          if (typeof callback === "function") process.nextTick(callback, failure)
        }
        own.send = failing
        for (let i = 0; i < 15; i++) yield* member.multicast([Uint8Array.of(1)])
        assert.strictEqual(member.drops().sendFailures, 15)
        own.send = send
        yield* member.multicast([Uint8Array.of(1)])
        own.send = failing
        for (let i = 0; i < 40; i++) yield* member.unicast("127.0.0.1:9", [Uint8Array.of(1)])
        for (let i = 0; i < 15; i++) yield* member.multicast([Uint8Array.of(1)])
        assert.doesNotThrow(() => own.address())
        yield* member.multicast([Uint8Array.of(1)])
        const error = yield* Effect.timeout(Effect.flip(pull), "5 seconds")
        assert.include(error.message, "ENETUNREACH")
      })
    ))

  it.live("what the system finds too large is counted and harms nothing", () =>
    Effect.gen(function*() {
      const [sender, receiver] = pair({ datagramBytesMax: 70_000 })
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      for (let i = 0; i < 20; i++) yield* sender.multicast([new Uint8Array(66_000)])
      yield* sender.multicast([Uint8Array.of(1)])
      assert.strictEqual((yield* Effect.timeout(pull, "5 seconds")).length, 1)
      assert.strictEqual(sender.drops().sendFailures, 20)
    }))

  it.live("drops the share that it is told to, uncounted", () =>
    Effect.gen(function*() {
      let draws = 0
      const [sender, receiver] = pair({ dropShare: 0.25, random: () => (draws++ % 4) / 4 })
      yield* Effect.asVoid(sender.receive)
      const pull = yield* receiver.receive
      yield* sender.multicast(Array.from({ length: 40 }, (_, i) => Uint8Array.of(i)))
      const received = yield* pullUntil(pull, (all) => all.some(({ payload }) => payload[0] === 39))
      assert.deepStrictEqual(
        received.map(({ payload }) => payload[0]),
        Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4 !== 0)
      )
      assert.strictEqual(sender.drops().sendFailures, 0)
    }))

  it.live("lets others run between batches of 32", () =>
    Effect.gen(function*() {
      const [sender] = pair()
      yield* Effect.asVoid(sender.receive)
      let turns = 0
      const counting = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow))
      )
      yield* sender.multicast(Array.from({ length: 320 }, () => Uint8Array.of(1)))
      assert.isAtLeast(turns, 4)
      yield* Fiber.interrupt(counting)
    }))
})

describe("the process", () => {
  const run = (unref: boolean) =>
    Effect.promise(async () => {
      const script = `
        import * as Effect from "effect/Effect"
        import * as Scope from "effect/Scope"
        import * as UdpNetwork from ${JSON.stringify(new URL("../../src/runtime/UdpNetwork.ts", import.meta.url).href)}
        const network = UdpNetwork.make(${JSON.stringify({ ...options(), unref })})
        Effect.runFork(Effect.flatMap(Scope.provide(network.receive, Scope.makeUnsafe()), (pull) => pull))
        process.on("exit", () => console.log("ended, open as", network.self()))
        setTimeout(() => console.log("still here"), 200).unref()
        process.stdin.on("data", () => process.exit()).unref()
      `
      const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
        stdio: ["pipe", "pipe", "inherit"]
      })
      let text = ""
      child.stdout.on("data", (chunk) => {
        text += String(chunk)
        if (text.includes("still here")) child.stdin.end("end\n")
      })
      await once(child, "close")
      return text
    })

  it.live("ends although the sockets are open, when they are not to keep it", () =>
    Effect.gen(function*() {
      assert.match(yield* run(true), /^ended, open as 127\.0\.0\.1:\d+\s$/)
    }))

  it.live("is kept by the sockets otherwise", () =>
    Effect.gen(function*() {
      assert.match(yield* run(false), /^still here\sended, open as 127\.0\.0\.1:\d+\s$/)
    }))
})
