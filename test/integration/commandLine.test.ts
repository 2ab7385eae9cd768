/** The `mccache` command against a running cluster: two processes of which one has another size, in all three modes. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { open, type Standalone } from "../../src/standalone.ts"
import { Child, eventually, group } from "./support/Children.ts"
import { type Ended, flagsOf, run, start } from "./support/Command.ts"

const options = group()
const Point = Schema.Struct({ at: Schema.Date })
let mccache: Standalone
let child: Child

/** The command, on this cluster. */
const command = (...args: ReadonlyArray<string>): Promise<Ended> => run([...args, ...flagsOf(options)])

const json = async (...args: ReadonlyArray<string>): Promise<unknown> => {
  const { code, err, out } = await command(...args, "--json")
  assert.strictEqual(code, 0, err)
  return JSON.parse(out)
}

const caches = () => ({
  full: mccache.cache<unknown>("n"),
  partial: mccache.cache<unknown>("partial", { mode: 0 }),
  invalidating: mccache.cache<unknown>("invalidating", { mode: 2, collision: "latest" }),
  points: mccache.cache("points", { value: Point })
})

beforeAll(async () => {
  child = new Child({ ...options, cacheMax: 300 })
  await child.started
  await child.ask("ready")
  mccache = await open(options, { env: {} })
  await mccache.ready()
  const { full, invalidating, partial, points } = caches()
  full.set("k", { name: "Ada" })
  full.set(1, "a number's")
  full.set("1", "a text's")
  partial.set("p", "here only")
  invalidating.set("i", "mine")
  points.set("origin", { at: new Date(0) })
  await mccache.flush()
})

afterAll(async () => {
  await mccache.close()
  child.signal("SIGKILL")
  await child.exited
})

describe("what there is", () => {
  it("members: who, with what, and which options differ", async () => {
    const seen = await json("members")
    assert.isObject(seen)
    const { differences, members, missing } = Schema.decodeUnknownSync(Schema.Struct({
      differences: Schema.Array(Schema.Struct({
        namespace: Schema.String,
        setting: Schema.String,
        values: Schema.Array(Schema.Struct({ member: Schema.String, value: Schema.String }))
      })),
      members: Schema.Array(
        Schema.Struct({ pid: Schema.Int, label: Schema.String, namespaces: Schema.Array(Schema.String) })
      ),
      missing: Schema.Array(Schema.String)
    }))(seen)
    assert.deepStrictEqual(missing, [])
    assert.strictEqual(members.length, 2)
    const own = members.find(({ pid }) => pid === process.pid)
    assert.deepStrictEqual(own?.namespaces, ["invalidating", "n", "partial", "points"])
    assert.deepStrictEqual(differences.map(({ namespace, setting }) => [namespace, setting]), [["n", "max"]])
    assert.deepStrictEqual(differences[0].values.map(({ value }) => value).sort(), ["256", "300"])
    const { out } = await command("members")
    assert.match(out, /^Member +Id +Address/)
    assert.include(out, "Members differ")
    assert.notInclude(out, "\u001b")
  })

  it("metrics: counts of one namespace, at one member", async () => {
    const { label } = mccache.members()[0]
    const { code, out } = await command("metrics", "points", "--node", label)
    assert.strictEqual(code, 0)
    const rows = out.split("\n").filter((line) => line.startsWith("points"))
    assert.strictEqual(rows.length, 1)
    assert.include(rows[0], label)
  })

  it("checksum: equal where all hold the same", async () => {
    const seen = await json("checksum", "n")
    const checksums = mccache.localChecksum("n")
    assert.nestedPropertyVal(seen, "namespaces[0].equal", true)
    assert.nestedPropertyVal(seen, "namespaces[0].checksums[0].checksum", checksums)
    assert.nestedPropertyVal(seen, "namespaces[0].checksums[1].checksum", checksums)
    const missing = await command("checksum", "n", "nobody's")
    assert.strictEqual(missing.code, 4)
  })
})

describe("keys and values", () => {
  it("keys: numbers apart from texts", async () => {
    const { out } = await command("keys", "n")
    assert.deepStrictEqual(out.trim().split("\n"), ["1", "\"1\"", "k"])
    assert.nestedPropertyVal(await json("keys", "partial"), "[0].key", "p")
    assert.nestedPropertyVal(await json("keys", "invalidating"), "[0].key", "i")
  })

  it("get: texts as they are, all else as JSON, of a Schema what it encodes", async () => {
    assert.strictEqual((await command("get", "n", "1", "--number")).out, "a number's\n")
    assert.strictEqual((await command("get", "n", "1")).out, "a text's\n")
    assert.deepStrictEqual(JSON.parse((await command("get", "n", "k")).out), { name: "Ada" })
    assert.strictEqual((await command("get", "partial", "p")).out, "here only\n")
    assert.strictEqual((await command("get", "invalidating", "i")).out, "mine\n")
    assert.nestedPropertyVal(await json("get", "points", "origin"), "value.at", "1970-01-01T00:00:00.000Z")
  })

  it("get: a key or a namespace that nobody has is told, with what there is", async () => {
    const key = await command("get", "n", "2")
    assert.strictEqual(key.code, 4)
    assert.include(key.err, "--number")
    const namespace = await command("get", "m", "k")
    assert.strictEqual(namespace.code, 4)
    assert.include(namespace.err, "\"invalidating\", \"n\", \"partial\", \"points\"")
    assert.strictEqual(namespace.out, "")
  })

  it("set: readable at every member when the command ends, also what a Schema decodes", async () => {
    assert.deepStrictEqual(await json("set", "n", "s", "[1,2]"), {
      namespace: "n",
      key: "s",
      replaced: false,
      members: 2
    })
    assert.deepStrictEqual(caches().full.get("s"), [1, 2])
    assert.deepStrictEqual(await child.ask("get", "s"), [1, 2])
    await json("set", "n", "s", "[3]", "--text", "--ttl", "1h")
    assert.strictEqual(await child.ask("get", "s"), "[3]")
    const { expiresAt = 0 } = caches().full.metadata("s") ?? {}
    assert.approximately(expiresAt - Date.now(), 3_600_000, 60_000)
    await json("set", "points", "later", "{\"at\":\"2026-01-01T00:00:00.000Z\"}")
    assert.deepStrictEqual(caches().points.get("later"), { at: new Date(Date.UTC(2026, 0)) })
  })

  it("set: in mode 0 only where the key is held, in mode 2 not at all", async () => {
    assert.nestedPropertyVal(await json("set", "partial", "p", "there"), "replaced", true)
    assert.strictEqual(caches().partial.get("p"), "there")
    assert.strictEqual((await command("set", "partial", "q", "1")).code, 4)
    const refused = await command("set", "invalidating", "i", "1")
    assert.strictEqual(refused.code, 1)
    assert.include(refused.err, "mode 2")
    assert.strictEqual(caches().invalidating.get("i"), "mine")
  })

  it("delete: gone at every member when the command ends, in every mode", async () => {
    await json("delete", "n", "s")
    assert.isUndefined(caches().full.get("s"))
    assert.isUndefined(await child.ask("get", "s"))
    assert.strictEqual((await command("delete", "n", "s")).code, 4)
    await json("delete", "invalidating", "i")
    assert.isUndefined(caches().invalidating.get("i"))
    await json("delete", "partial", "p")
    assert.isUndefined(caches().partial.get("p"))
  })

  it("clear: one namespace or, when that is said, all", async () => {
    caches().points.set("x", { at: new Date(1) })
    const unsaid = await command("clear")
    assert.strictEqual(unsaid.code, 2)
    await json("clear", "points")
    assert.strictEqual(caches().points.size, 0)
    assert.isAbove(caches().full.size, 0)
    await json("clear", "--all")
    assert.strictEqual(caches().full.size, 0)
    assert.strictEqual(await child.ask("size"), 0)
    caches().full.set("again", 1)
    assert.strictEqual(caches().full.get("again"), 1)
  })
})

describe("watch", () => {
  it("prints what members write until it is interrupted, and leaves with a farewell", async () => {
    const watching = start(["watch", "n", "--json", ...flagsOf(options)])
    await eventually(async () => watching.err(), (text) => text.includes("Watching"), 15_000)
    const { full, points } = caches()
    full.set("w", { v: 1 })
    points.set("unwatched", { at: new Date(0) })
    await mccache.flush()
    full.delete("w")
    await eventually(async () => watching.out(), (text) => text.includes("\"delete\""), 15_000)
    assert.strictEqual(mccache.members().length, 3)
    watching.signal("SIGINT")
    const { out } = await watching.ended
    const lines = out.trim().split("\n").map((line): unknown => JSON.parse(line))
    assert.lengthOf(lines, 2)
    assert.deepInclude(lines[0], {
      type: "set",
      namespace: "n",
      key: "w",
      value: { v: 1 },
      writer: mccache.members()[0].id
    })
    assert.deepInclude(lines[1], { type: "delete", key: "w" })
    await eventually(async () => mccache.members().length, (members) => members === 2, 1_000)
  })

  it("ends by itself after the time that it was given", async () => {
    const { code, out } = await command("watch", "--for", "100ms")
    assert.strictEqual(code, 0)
    assert.strictEqual(out, "")
  })
})
