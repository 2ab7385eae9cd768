/** Much data, fast, over sockets that lose some of it. */
import { assert, describe, it } from "@effect/vitest"
import { type Child, coherent, group, withChildren } from "./support/Children.ts"

const megabyte = 1_048_576

/** When each of the others has what `writer` has, in milliseconds after `since`. */
const arrivals = async (
  writer: Child,
  others: ReadonlyArray<Child>,
  since: number,
  withinMillis: number
): Promise<ReadonlyArray<number>> => {
  const checksum = await writer.ask("checksum")
  const times = await Promise.all(others.map((each) => each.ask("until", checksum, withinMillis)))
  return times.map((time) => {
    if (typeof time !== "number") assert.fail(`not there within ${withinMillis} ms`)
    return time - since
  })
}

describe("100,000 entries of about 100 bytes, written as fast as one process can", () => {
  for (const testMonkeyTantrum of [0, 10]) {
    it(`are at three others within 5 s of the last, with ${testMonkeyTantrum} % of datagrams dropped`, () =>
      withChildren(async (start) => {
        const options = { ...group(), cacheMax: 100_000, cacheSize: 64 * megabyte, testMonkeyTantrum }
        const writer = await start(options)
        const others = [await start(options), await start(options), await start(options)]
        const last = Number(await writer.ask("fill", 100_000, 100))
        const times = await arrivals(writer, others, last, 10_000)
        for (const time of times) assert.isBelow(time, 5_000)
        for (const each of others) assert.strictEqual(await each.ask("size"), 100_000)
      }))
  }
})

describe("100,000 entries that are there already", () => {
  it("are at one that starts within 10 s, with 10 % of datagrams dropped", () =>
    withChildren(async (start) => {
      const options = { ...group(), cacheMax: 100_000, cacheSize: 64 * megabyte, testMonkeyTantrum: 10 }
      const writer = await start(options)
      await writer.ask("fill", 100_000, 100)
      const begun = Date.now()
      const late = await start(options)
      // Ready, so it holds them.
      assert.strictEqual(await late.ask("size"), 100_000)
      assert.isBelow(Date.now() - begun, 10_000)
      assert.strictEqual(await late.ask("checksum"), await writer.ask("checksum"))
    }))
})

describe("large values, with 10 % of datagrams dropped", () => {
  it("of 5 MB arrive intact", () =>
    withChildren(async (start) => {
      const options = { ...group(), cacheSize: 32 * megabyte, testMonkeyTantrum: 10 }
      const [a, b, c] = [await start(options), await start(options), await start(options)]
      await a.ask("fill", 1, 5_000_000)
      await coherent([a, b, c], 1, 15_000)
      const content = await a.ask("content")
      for (const each of [b, c]) assert.strictEqual(await each.ask("content"), content)
    }))

  it("of 100 KB, a thousand of them, arrive intact", () =>
    withChildren(async (start) => {
      const options = { ...group(), cacheMax: 2_000, cacheSize: 256 * megabyte, testMonkeyTantrum: 10 }
      const [a, b] = [await start(options), await start(options)]
      await a.ask("fill", 1_000, 100_000)
      await coherent([a, b], 1_000, 30_000)
      assert.strictEqual(await b.ask("content"), await a.ask("content"))
    }))
})

describe("1,000,000 sets over 10,000 keys in one loop without a pause", () => {
  it("leave all members equal, within bounded memory", () =>
    withChildren(async (start) => {
      const options = { ...group(), cacheMax: 20_000, cacheSize: 64 * megabyte }
      const [a, b, c] = [await start(options), await start(options), await start(options)]
      const children = [a, b, c]
      const memory = async () => Promise.all(children.map(async (each) => Number(await each.ask("rss"))))
      await a.ask("fill", 10_000, 100, 100)
      await coherent(children, 10_000, 15_000)
      assert.match(String(await b.ask("get", "key-9999")), /^999999:/)
      const once = await memory()
      // The entries take about 2 MB; most of the rest, in the writer, is the garbage of a million sets.
      for (const rss of once) assert.isBelow(rss, 700 * megabyte)
      // Bounded: as much again takes no more.
      await a.ask("fill", 10_000, 100, 100)
      await coherent(children, 10_000, 15_000)
      for (const [index, rss] of (await memory()).entries()) assert.isBelow(rss, once[index] + 100 * megabyte)
    }))
})
