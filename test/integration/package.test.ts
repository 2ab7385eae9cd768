/** The package as it would be published, in projects of users. What needs a registry is in `npm run test:package`. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import {
  execute,
  expected,
  installFromRepository,
  makeProject,
  manifest,
  pack,
  type Packed,
  root,
  runProgram,
  temporary,
  typeCheck
} from "../package/support/Package.ts"

/** Of the tarball. It was 245 KB when this was written; what makes it grow beyond this should be worth it. */
const tarballBytesMax = 425_000

describe("the package", () => {
  const directory = temporary()
  let packed: Packed
  let project = ""
  let installed: ReadonlyArray<string> = []

  beforeAll(async () => {
    packed = await pack(directory.path)
    project = makeProject(directory.path, "user")
    installed = await installFromRepository(project, packed)
    // TypeScript users have these.
    for (const name of ["@types/node", "undici-types"]) {
      cpSync(join(root, "node_modules", name), join(project, "node_modules", name), { recursive: true })
    }
  })

  afterAll(() => directory.remove())

  it("is small, and has nothing in it that is of no use without the repository", () => {
    assert.isBelow(packed.bytes, tarballBytesMax)
    const kinds = /^(dist\/.*\.(js|d\.ts)|docs\/.*|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/
    assert.deepStrictEqual(packed.files.filter((file) => !kinds.test(file)), [])
    // A map without the source that it maps to leads nowhere.
    const mapped = packed.files.filter((file) =>
      file.endsWith(".js") &&
      readFileSync(join(project, "node_modules/mccache", file), "utf8").includes("sourceMappingURL")
    )
    assert.deepStrictEqual(mapped, [])
  })

  it("has everything that it promises: doors, the command, licence, changes, and the documents that those name", () => {
    const { bin, exports, name } = manifest()
    const doors = Object.values(exports).flatMap((door) => typeof door === "string" ? [door] : Object.values(door))
    const files = [...doors, ...Object.values(bin)].map((path) => normalize(path))
    const missing = [...files, "LICENSE", "CHANGELOG.md", "README.md"].filter((file) => !packed.files.includes(file))
    assert.deepStrictEqual(missing, [])
    for (const document of packed.files.filter((file) => file.endsWith(".md"))) {
      const text = readFileSync(join(project, "node_modules", name, document), "utf8")
      for (const [, link] of text.matchAll(/\]\(([^)#:]+\.(?:md|svg|json))(?:#[^)]*)?\)/g)) {
        const target = normalize(join(dirname(document), link))
        assert.include(packed.files, target, `${document} links to it`)
      }
    }
  })

  it("runs without its optional parts", () => {
    assert.include(installed, "node_modules/msgpackr")
    const all = readdirSync(join(project, "node_modules"))
    for (const optional of ["msgpackr-extract", "@msgpackr-extract", "ioredis"]) assert.notInclude(all, optional)
    assert.isTrue(existsSync(join(root, "node_modules/msgpackr-extract")), "or this would show nothing")
  })

  for (const [program, what] of Object.entries(expected)) {
    it(`runs ${program} in a user's project`, async () => {
      assert.deepStrictEqual(await runProgram(project, program), what)
    })
  }

  for (const moduleResolution of ["nodenext", "bundler"] as const) {
    it(`has types that compile with moduleResolution ${moduleResolution}, and refuse what is wrong`, () =>
      typeCheck(project, moduleResolution))
  }

  it("has a command that tells what it can do", async () => {
    const command = join(project, "node_modules/mccache", manifest().bin.mccache)
    assert.match(await execute(project, process.execPath, [command, "--help"]), /mccache/)
    assert.match(await execute(project, process.execPath, [command, "--version"]), new RegExp(manifest().version))
  })
})
