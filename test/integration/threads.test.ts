/** Worker threads: each that opens McCache is a member of its own, in one process. */
import { assert, describe, it } from "@effect/vitest"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { readdirSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import { setImmediate } from "node:timers/promises"
import { type MemberInfo, type MemberMetrics, open, type Standalone } from "../../src/standalone.ts"
import { coherent, eventually, group, type Options, Thread } from "./support/Children.ts"

/** A member that says nothing is removed after 2 s here; the default is 15 s, and the way the same. */
const removeMillis = 2_000
const protocol = { heartbeatMillis: 200, suspectMillis: 700, removeMillis }

/** Runs a test with a member in the main thread and a way to start threads; all are gone afterwards. */
const withThreads = async (
  test: (main: Standalone, start: () => Promise<Thread>, options: Options) => Promise<void>
): Promise<void> => {
  const options: Options = { ...group(), protocol }
  const main = await open(options)
  const threads: Array<Thread> = []
  try {
    main.cache("n")
    await test(main, async () => {
      const thread = new Thread(options)
      threads.push(thread)
      await thread.started
      await thread.ask("ready")
      return thread
    }, options)
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()))
    await main.close()
  }
}

const membersOf = async (thread: Thread): Promise<ReadonlyArray<MemberInfo>> =>
  await thread.ask("members") as ReadonlyArray<MemberInfo>

const contents = async (main: Standalone, threads: ReadonlyArray<Thread>, entries: number): Promise<void> => {
  const checksum = await coherent(threads, entries, 10_000)
  await eventually(async () => main.localChecksum("n"), (own) => own === checksum, 10_000)
}

/** Sockets that this process, all its threads together, has open. Linux tells. */
const sockets = (): number =>
  readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:")
    } catch {
      return false
    }
  }).length

describe("worker threads of one process", () => {
  it("are members of their own, with ids, addresses and labels that tell them apart", () =>
    withThreads(async (main, start) => {
      const threads = await Promise.all([start(), start(), start()])
      const all = await eventually(
        () => Promise.all([main.members(), ...threads.map(membersOf)]),
        (views) => views.every((view) => view.length === 4 && view.every(({ state }) => /^(self|ready)$/.test(state))),
        10_000
      )
      const label = `${hostname()}:${process.pid}`
      const expected = [label, ...threads.map(({ threadId }) => `${label}#${threadId}`)].sort()
      for (const view of all) {
        assert.deepStrictEqual(view.map((member) => member.label).sort(), expected)
        assert.deepStrictEqual(new Set(view.map(({ pid }) => pid)), new Set([process.pid]))
        assert.strictEqual(new Set(view.map(({ id }) => id)).size, 4)
        assert.strictEqual(new Set(view.map(({ address }) => address)).size, 4)
      }
      assert.strictEqual(all[0].find(({ state }) => state === "self")?.thread, 0)
      for (const [index, { threadId }] of threads.entries()) {
        const self = all[index + 1].find(({ state }) => state === "self")
        assert.strictEqual(self?.thread, threadId)
        assert.strictEqual(self?.id, await threads[index].ask("id"))
      }
      // Each label, and the main thread's too, chooses one.
      for (const node of expected) {
        const { answers, missing } = await main.clusterChecksum({ name: "n", node })
        assert.deepStrictEqual(missing, [])
        assert.deepStrictEqual(answers.map((answer) => answer.label), [node])
        assert.deepStrictEqual(await threads[0].ask("checksumAt", node), { answers, missing })
      }
    }))

  it("share what any of them writes and deletes", () =>
    withThreads(async (main, start) => {
      const threads = [await start(), await start()]
      const cache = main.cache<unknown>("n")
      cache.set("main", 1)
      for (const thread of threads) await thread.ask("fill", 50, 100)
      await threads[0].ask("set", "first", { by: "the first" })
      await contents(main, threads, 52)
      assert.deepStrictEqual(cache.get("first"), { by: "the first" })
      assert.strictEqual(await threads[1].ask("get", "main"), 1)
      assert.isTrue(await threads[1].ask("delete", "first"))
      await contents(main, threads, 51)
      assert.isFalse(cache.has("first"))
      // One that starts later catches up; one that is cleared by its label transfers anew, and the others keep what they have.
      const late = await start()
      await contents(main, [...threads, late], 51)
      await main.clear({ node: `${hostname()}:${process.pid}#${late.threadId}` })
      await contents(main, [...threads, late], 51)
    }))

  it.runIf(process.platform === "linux")(
    "count what the kernel dropped at their own sockets, not at their siblings'",
    () =>
      withThreads(async (main, start, options) => {
        const thread = await start()
        const dropped = async (): Promise<number> =>
          (await thread.ask("metrics") as MemberMetrics).network.receiveOverflow
        const going = new Int32Array(new SharedArrayBuffer(4))
        const stalled = thread.ask("stall", going)
        const socket = createSocket("udp4")
        try {
          socket.bind(0, "127.0.0.1")
          await once(socket, "listening")
          socket.setMulticastInterface("127.0.0.1")
          const [address, port] = String(options.multicastIp).split(":")
          // More than any socket has room for, and slowly enough for who reads.
          for (let sent = 0; sent < 600; sent++) {
            await new Promise((resolve) => socket.send(new Uint8Array(60_000), Number(port), address, resolve))
            await setImmediate()
          }
        } finally {
          socket.close()
          Atomics.store(going, 0, 1)
          Atomics.notify(going, 0)
        }
        await stalled
        assert.isAbove(await dropped(), 0)
        assert.strictEqual(main.localMetrics().network.receiveOverflow, 0)
      })
  )

  it("leave at once when they close, and end by themselves", () =>
    withThreads(async (main, start) => {
      const thread = await start()
      await eventually(async () => main.members().length, (members) => members === 2, 5_000)
      await thread.ask("close")
      assert.strictEqual(await thread.exited, 0)
      await eventually(async () => main.members().length, (members) => members === 1, removeMillis / 2)
    }))

  it("that are terminated are removed like a process that was killed, and leave no socket behind", () =>
    withThreads(async (main, start) => {
      const before = process.platform === "linux" ? sockets() : undefined
      const [gone, other] = [await start(), await start()]
      await gone.ask("fill", 20, 100)
      await contents(main, [gone, other], 20)
      await gone.terminate()
      const look = async () => [main.members(), await membersOf(other)].map((view) => view.length)
      await eventually(look, (counts) => counts.every((count) => count === 2), removeMillis + 3_000)
      // Nobody waits for it, what it wrote stays, and its place can be taken.
      main.cache("n").set("later", 1)
      assert.strictEqual((await main.flush({ timeout: 2_000 })).members, 1)
      const next = await start()
      await contents(main, [other, next], 21)
      await Promise.all([other.terminate(), next.terminate()])
      if (before !== undefined) {
        await eventually(async () => sockets(), (open) => open === before, 2_000)
      }
    }))
})
