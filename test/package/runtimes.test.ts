/**
 * The package as npm installs it, with each Node that it is for. Needs a registry: without one every test is skipped, and says so.
 * `npm run test:package`; what needs no registry is in `test/integration/package.test.ts`, which `npm test` runs.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { join } from "node:path"
import {
  execute,
  expected,
  installFromRegistry,
  makeProject,
  manifest,
  pack,
  type Packed,
  runProgram,
  temporary,
  typeCheck
} from "./support/Package.ts"

const directory = temporary()
afterAll(() => directory.remove())

const reachable = await execute(directory.path, "npm", ["view", "effect", "version", "--fetch-retries=0"], {}, 20_000)
  .then(
    () => true,
    (error) => {
      console.warn(`SKIPPED: no registry can be reached, so that nothing of this is tested.\n${error}`)
      return false
    }
  )

/** The oldest that `engines` allows, and the newest of each line. */
const nodes = [`${/\d+\.\d+/.exec(manifest().engines.node)?.[0]}.0`, "22", "24", "26"]

describe.skipIf(!reachable)("the package, installed by npm", () => {
  let packed: Packed

  beforeAll(async () => {
    packed = await pack(directory.path)
  })

  it("brings what it needs, Effect included, and leaves no problem that npm sees", async () => {
    const project = makeProject(directory.path, "complete")
    await installFromRegistry(project, [packed.tarball, "@types/node@24"])
    const listed = JSON.parse(await execute(project, "npm", ["ls", "--all", "--json"]))
    assert.isUndefined(listed.problems)
    assert.containsAllKeys(listed.dependencies, ["mccache"])
    for (const name of ["effect", "msgpackr", "msgpackr-extract"]) {
      assert.isTrue(existsSync(join(project, "node_modules", name)), name)
    }
    for (const [program, what] of Object.entries(expected)) {
      assert.deepStrictEqual(await runProgram(project, program), what, program)
    }
    for (const moduleResolution of ["nodenext", "bundler"] as const) await typeCheck(project, moduleResolution)
  })

  describe("without its optional parts", () => {
    let project = ""

    beforeAll(async () => {
      project = makeProject(directory.path, "lean")
      await installFromRegistry(project, [packed.tarball], "--omit=optional")
    })

    it("does not have them", () => {
      assert.isFalse(existsSync(join(project, "node_modules/msgpackr-extract")))
    })

    for (const version of nodes) {
      it(`runs on Node ${version}`, async () => {
        const runtime = makeProject(directory.path, `node-${version}`)
        await installFromRegistry(runtime, [`node@${version}`])
        const node = join(runtime, "node_modules/node/bin/node")
        const found = (await execute(runtime, node, ["--version"])).trim()
        assert.match(found, new RegExp(`^v${version.replaceAll(".", "\\.")}(\\.|$)`))
        for (const [program, what] of Object.entries(expected)) {
          assert.deepStrictEqual(await runProgram(project, program, node), what, `${program} on ${found}`)
        }
      })
    }
  })
})
