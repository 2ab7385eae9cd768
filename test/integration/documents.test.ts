/**
 * The code in `README.md` and `docs` is what a reader can copy: every block of TypeScript and JavaScript is type-checked
 * against the sources, in one run of the compiler, and those that can run are run. (Those of the README run in
 * `examples.test.ts`, against the built package.)
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import * as Documents from "./support/Documents.ts"

const { programs, root } = Documents
const run = promisify(execFile)

/** What a program that hangs is given; each needs less than 5 seconds on an idle machine. */
const deadlineMillis = 60_000
/** Programs that run at a time. */
const concurrency = 3
/** What the blocks import beside McCache. */
const packages = [
  "@effect/opentelemetry",
  "@effect/platform-node",
  "@effect/vitest",
  "@opentelemetry",
  "@types/node",
  "effect",
  "ioredis",
  "lru-cache",
  "msgpackr",
  "vitest"
]

/** Not the settings of whoever runs the tests, and a port that no other program or run of them uses. */
const environment = (index: number): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(MCCACHE_|TEST_|(NODE_OPTIONS|FORCE_COLOR)$)/.test(name))
  ),
  NO_COLOR: "1",
  MCCACHE_MULTICAST_IP: `224.0.0.3:${10_000 + process.pid % 20_000 + index}`
})

interface Failure {
  readonly stdout?: string
  readonly stderr?: string
}

/** Runs Node with a script. Rejects with what it wrote when it fails or does not end. */
const node = async (project: string, index: number, ...script: ReadonlyArray<string>): Promise<string> => {
  const { stdout } = await run(process.execPath, script, {
    cwd: project,
    env: environment(index),
    timeout: deadlineMillis,
    killSignal: "SIGKILL"
  }).catch(({ stderr, stdout }: Failure) => {
    throw new Error(`${script.join(" ")} failed:\n${stdout}${stderr}`)
  })
  return stdout
}

describe("the code in README.md and docs", () => {
  let project = ""

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "mccache-documents-"))
    const link = (target: string, path: string): void => {
      mkdirSync(dirname(join(project, path)), { recursive: true })
      symlinkSync(join(root, target), join(project, path), "junction")
    }
    for (const name of packages) link(`node_modules/${name}`, `node_modules/${name}`)
    // The package as it is, its doors leading to the sources, which Node reads through the link as no part of node_modules.
    link("src", "node_modules/mccache/src")
    const { exports, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const doors = Object.keys(exports).filter((door) => !door.endsWith(".json"))
    const source = (door: string): string => door === "." ? "./src/index.ts" : door.replace("./", "./src/") + ".ts"
    writeFileSync(
      join(project, "node_modules/mccache/package.json"),
      JSON.stringify({ ...manifest, exports: Object.fromEntries(doors.map((door) => [door, source(door)])) })
    )
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "a-users-project", type: "module" }))
    const compilerOptions = {
      allowImportingTsExtensions: true,
      allowJs: true,
      checkJs: true,
      erasableSyntaxOnly: true,
      lib: ["ES2024", "ESNext.Disposable"],
      module: "NodeNext",
      // A block without an import is a program of its own, too.
      moduleDetection: "force",
      noEmit: true,
      skipLibCheck: true,
      strict: true,
      target: "ES2024",
      types: ["node"]
    }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "*.js"] }))
    for (const { file, source } of programs) writeFileSync(join(project, file), source)
  })

  afterAll(() => rmSync(project, { recursive: true, force: true }))

  it("is found", () => {
    for (const document of ["README.md", "docs/guide.md", "docs/coming-from.md", "docs/operations.md"]) {
      assert.isTrue(programs.some((program) => program.document === document && program.run), document)
    }
  })

  it("type-checks against the sources", async () => {
    await node(project, 0, join(root, "node_modules/typescript/bin/tsc"), "--project", join(project, "tsconfig.json"))
  })

  it("runs, and ends by itself", async () => {
    const scripts = programs.filter(({ document, run, test }) => run && !test && document !== "README.md")
    const waiting = scripts.entries()
    const failures: Array<string> = []
    const work = async (): Promise<void> => {
      for (const [index, { file }] of waiting) {
        await node(project, 1 + index, file).catch((error: unknown) => failures.push(String(error)))
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    assert.isAbove(scripts.length, 0)
    assert.deepStrictEqual(failures, [])
  })

  it("passes where it is a test", async () => {
    const tests = programs.filter(({ document, run, test }) => run && test && document !== "README.md")
    assert.isAbove(tests.length, 0)
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    const output = await node(project, 0, vitest, "run", "--root", project, ...tests.map(({ file }) => file))
    assert.match(output, new RegExp(`Test Files  .*${tests.length} passed`))
  })
})
