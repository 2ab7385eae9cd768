/** `npm run demo` ends within its time, coherent, with and without a key. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const demo = fileURLToPath(new URL("../../examples/demo/demo.ts", import.meta.url))

describe("the demo", () => {
  for (const flags of [[], ["--key"]]) {
    it(`is coherent ${flags.length === 0 ? "without a key" : "with a key"}`, async () => {
      const startedAt = Date.now()
      const { stdout } = await promisify(execFile)(process.execPath, [demo, ...flags])
      assert.isBelow(Date.now() - startedAt, 40_000)
      const lines = stdout.trim().split("\n")
      assert.strictEqual(lines.at(-1), "coherent")
      const rows = lines.filter((line) => /^(ada|bob|cyd|dan) /.test(line)).map((line) => line.split(/\s+/))
      assert.deepStrictEqual(rows.map(([name]) => name), ["ada", "bob", "cyd", "dan"])
      // Nearly all of the 2,500 media types: some are deleted all the time.
      for (const [, entries] of rows) assert.isAbove(Number(entries.replace(",", "")), 1_500)
      assert.strictEqual(new Set(rows.map((row) => row[2])).size, 1)
    })
  }
})
