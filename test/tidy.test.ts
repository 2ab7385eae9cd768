/** What linters cannot check: that documents and code name the same things, and that the tree stays readable. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { tags } from "../src/domain/Operation.ts"
import { settings } from "../src/domain/SettingTable.ts"
import { invariants } from "../src/testing.ts"

const root = new URL("../", import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

/** Files that are, or would be, committed. Paths deleted but not yet committed are left out. */
const committed: ReadonlyArray<string> = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }
).split("\0").filter((path) => path !== "" && existsSync(new URL(path, root)))

const source = committed.filter((path) => path.startsWith("src/") && path.endsWith(".ts"))
const code = committed.filter((path) => /^(src|test|bench|examples)\//.test(path) && path.endsWith(".ts"))

/** `path:line` of every line that matches. */
const matching = (paths: ReadonlyArray<string>, pattern: RegExp): ReadonlyArray<string> =>
  paths.flatMap((path) =>
    read(path).split("\n").flatMap((line, index) => pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])
  )

const linesMax = 500

describe("documents", () => {
  it("docs/protocol.md has a row with the number of every operation", () => {
    const lines = read("docs/protocol.md").split("\n")
    const missing = Object.entries(tags).filter(([tag, number]) =>
      !lines.some((line) => new RegExp(`\\b${tag}\\b`).test(line) && new RegExp(`\\b${number}\\b`).test(line))
    )
    assert.deepStrictEqual(missing, [])
  })

  it("no two operations share a number", () => {
    const numbers = Object.values<number>(tags)
    assert.strictEqual(new Set(numbers).size, numbers.length)
  })

  it("README.md names every setting", () => {
    const readme = read("README.md")
    const missing = settings.map(({ variable }) => variable)
      .filter((variable) => !new RegExp(`\\b${variable}\\b`).test(readme))
    assert.isAbove(settings.length, 0)
    assert.deepStrictEqual(missing, [])
  })
})

describe("invariants", () => {
  it("each of 1 to 11 has a checker", () => {
    assert.deepStrictEqual(Object.keys(invariants), Array.from({ length: 11 }, (_, index) => String(index + 1)))
    for (const [number, checker] of Object.entries(invariants)) assert.isFunction(checker, `invariant ${number}`)
  })
})

describe("the tree", () => {
  it("is what git lists", () => {
    assert.include(source, "src/index.ts")
    assert.include(code, "test/tidy.test.ts")
  })

  it("keeps the files of src short", () => {
    const long = source.map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
      .filter(({ lines }) => lines > linesMax)
    assert.deepStrictEqual(long, [])
  })

  it("leaves nothing for later", () => {
    // Written in two parts, so that this line does not find itself.
    assert.deepStrictEqual(matching(code, new RegExp("\\b(TO" + "DO|FIX" + "ME)\\b")), [])
  })

  it("names no registry", () => {
    // Lock files and configuration alike: installing must work from whatever registry is configured.
    const text = committed.filter((path) => !/\.(png|gif|jpg|wasm|tgz)$/.test(path))
    const hosts = new RegExp("regis" + "try\\.|npm" + "js\\.(org|com)|artifact" + "ory|\"reso" + "lved\":", "i")
    assert.deepStrictEqual(matching(text, hosts), [])
  })

  it("takes time and randomness as parameters or services in src/domain and src/services", () => {
    const inner = source.filter((path) => /^src\/(domain|services)\//.test(path))
    assert.isAbove(inner.length, 0)
    const banned = /\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate|performance\.now)\b|\bnew Date\(\)/
    assert.deepStrictEqual(matching(inner, banned), [])
  })
})
