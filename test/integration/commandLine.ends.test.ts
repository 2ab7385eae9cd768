/** How the `mccache` command ends when there is less than was asked for, and what it does without a cluster. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as SettingTable from "../../src/domain/SettingTable.ts"
import { eventually, group, withChildren } from "./support/Children.ts"
import { flagsOf, run } from "./support/Command.ts"

const Labels = Schema.Array(Schema.Struct({ label: Schema.String }))

describe("without a cluster", () => {
  it("key: prints 32 bytes, another each time", async () => {
    const [first, second] = await Promise.all([run(["key"]), run(["key"])])
    assert.strictEqual(first.code, 0)
    assert.strictEqual(Buffer.from(first.out.trim(), "base64url").length, 32)
    assert.notStrictEqual(first.out, second.out)
  })

  it("config: tells where values come from, hides keys, and warns on the standard error stream", async () => {
    const key = Buffer.alloc(32, 7).toString("base64url")
    const environment = { MCCACHE_CRYPTO_KEY: key, MCCACHE_CACHE_MAX: "1000", MCCACHE_CACHE_MAXX: "1" }
    const { code, err, out } = await run(["config"], environment)
    assert.strictEqual(code, 0)
    assert.match(out, /^MCCACHE_CACHE_MAX +1,000 +environment$/m)
    assert.match(out, /^MCCACHE_CRYPTO_KEY +1 \(hidden\) +environment$/m)
    assert.match(out, /^MCCACHE_CACHE_MODE +1 +default$/m)
    assert.include(err, "MCCACHE_CACHE_MAXX")
    const programs = await run(["config", "--json"], environment)
    assert.nestedPropertyVal(JSON.parse(programs.out), "origins.cacheMax", "environment")
    for (const text of [out, err, programs.out, programs.err]) assert.notInclude(text, key)
  })

  it("config: tells what decides where nothing is set for the log, and else what is set", async () => {
    const names = { MCCACHE_LOG_LEVEL: "debug", MCCACHE_LOG_FORMAT: "json" }
    const [unset, set] = await Promise.all([run(["config"]), run(["config"], names)])
    const rows = ({ out }: typeof unset) =>
      out.split("\n").filter((line) => Object.keys(names).includes(line.split(" ", 1)[0]))
        .map((line) => line.split(/ {2,}/))
    const settings = SettingTable.settings.filter(({ variable }) => Object.keys(names).includes(variable))
    assert.deepStrictEqual(rows(unset), settings.map(({ defaultText, variable }) => [variable, defaultText, "default"]))
    assert.sameDeepMembers(rows(set), [
      ["MCCACHE_LOG_LEVEL", "Debug", "environment"],
      ["MCCACHE_LOG_FORMAT", "json", "environment"]
    ])
  })

  it("colours only what may be coloured", async () => {
    const plain = await run(["config"])
    const forced = await run(["config"], { FORCE_COLOR: "1", TERM: "xterm" })
    const refused = await run(["config"], { FORCE_COLOR: "1", NO_COLOR: "1", TERM: "xterm" })
    assert.notInclude(plain.out, "\u001b")
    assert.include(forced.out, "\u001b[1m")
    assert.notInclude(refused.out, "\u001b")
  })

  it("completions: for the shells that effect/cli knows, with the subcommands", async () => {
    const { code, out } = await run(["--completions", "bash"])
    assert.strictEqual(code, 0)
    for (const subcommand of ["members", "metrics", "checksum", "watch", "keys"]) assert.include(out, subcommand)
  })

  it("tells usage by 2 and failed settings, too", async () => {
    assert.strictEqual((await run(["members", "--timeout", "soon"])).code, 2)
    assert.strictEqual((await run(["get", "n"])).code, 2)
    assert.strictEqual((await run(["nothing"])).code, 2)
    const { code, err } = await run(["config"], { MCCACHE_CACHE_MODE: "7" })
    assert.strictEqual(code, 2)
    assert.include(err, "MCCACHE_CACHE_MODE")
    assert.strictEqual((await run(["--help"])).code, 0)
  })

  it("tells that nobody is there by 4, and what members share", async () => {
    const { code, err, out } = await run(["members", ...flagsOf(group())])
    assert.strictEqual(code, 4)
    assert.include(err, "integration")
    assert.strictEqual(out, "")
  })
})

describe("with members that do not answer", () => {
  it("prints what the others say, names them, and ends with 3", () =>
    withChildren(async (begin) => {
      const options = group()
      const a = await begin(options)
      const b = await begin(options)
      await a.ask("set", "k", "v")
      await a.ask("flush", 5)
      const [self] = Schema.decodeUnknownSync(Labels)(await b.ask("members"))
      b.signal("SIGSTOP")
      for (const args of [["members"], ["metrics", "n"], ["set", "n", "k", "w"], ["delete", "n", "k"]]) {
        const { code, err, out } = await run([...args, "--timeout", "1s", ...flagsOf(options)])
        assert.strictEqual(code, 3, `${args}: ${err}`)
        assert.include(err, self.label)
        assert.notStrictEqual(out, "")
      }
      assert.isUndefined(await a.ask("get", "k"))
      b.signal("SIGCONT")
      await eventually(() => b.ask("get", "k"), (value) => value === undefined, 10_000)
    }))
})
