/**
 * The examples do what they say, as in a user's project: copied beside a `node_modules` that holds the built package, they
 * import it by its name, and run with plain Node.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)
const root = fileURLToPath(new URL("../../", import.meta.url))
const examples = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts")).sort()

/** The programs in the README, as files; one that imports a test framework is a test. */
const readme: ReadonlyArray<readonly [name: string, source: string]> = [
  ...readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts\n(.*?)```/gs)
].map(([, source], index) => [`readme-${index + 1}${source.includes("@effect/vitest") ? ".test" : ""}.ts`, source])

/** What an example that hangs is given; each needs less than 5 seconds on an idle machine. */
const deadlineMillis = 60_000

/** All matches of a pattern, of each its groups. */
const matches = (output: string, pattern: RegExp): ReadonlyArray<ReadonlyArray<string>> =>
  [...output.matchAll(pattern)].map(([, ...groups]) => groups)

/** The numbers of the only line that a pattern matches. */
const numbers = (output: string, pattern: RegExp): ReadonlyArray<number> => {
  const found = matches(output, pattern)
  assert.strictEqual(found.length, 1, `${pattern} in:\n${output}`)
  return found[0].map(Number)
}

const includesLines = (output: string, expected: ReadonlyArray<string>): void => {
  const lines = output.split("\n")
  assert.deepStrictEqual(expected.filter((line) => !lines.includes(line)), [], `missing in:\n${output}`)
}

/** What each example has to show. */
const expectations: { readonly [example: string]: (output: string) => void } = {
  "effect.ts": (output) => {
    includesLines(output, [
      "hit: Ada, since 1815",
      "change: local set of ada",
      "computed once for both: Grace and Grace",
      "not found and not cached: nobody",
      "left: grace"
    ])
    assert.strictEqual(matches(output, /(loaded user grace)/g).length, 1)
  },
  "standalone.ts": (output) =>
    includesLines(output, [
      "here: Ada, 1 entry",
      "change there: remote set of ada",
      "there: Ada, born 1815",
      "there: ada, alan",
      "loaded: 1 time",
      "deleted: gone here too",
      "refused: InvalidKey",
      "same checksum: true"
    ]),
  "cluster.ts": (output) => {
    const workers = matches(output, /^worker (\d+): (\d+) requests, (\d+) computed$/gm)
    assert.deepStrictEqual(workers.map(([id]) => id).sort(), ["1", "2", "3"])
    const [values, computed] = numbers(output, /^(\d+) values were computed (\d+) times/gm)
    assert.strictEqual(workers.reduce((sum, worker) => sum + Number(worker[2]), 0), computed)
    // Each value at least once; three workers that share nothing compute nearly 3 x 30.
    assert.isAtLeast(values, 25)
    assert.isAtLeast(computed, values)
    assert.isBelow(computed, 2 * values)
    const members = matches(output, /^(\S+) holds (\S+)$/gm)
    assert.strictEqual(new Set(members.map(([label]) => label)).size, 4)
    assert.strictEqual(new Set(members.map((member) => member[1])).size, 1)
    includesLines(output, ["4 members hold the same"])
  },
  "http.ts": (output) => {
    const servers = matches(output, /^(\d+) listens on 127\.0\.0\.1:(\d+)$/gm)
    const [first, second, ...others] = matches(output, /^(\d+) took (\d+) ms, rendered by (\d+)$/gm)
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual([first[0], second[0]].sort(), servers.map((server) => server[1]).sort())
    // Who was asked first rendered it, which takes 200 ms, for both.
    const renderer = servers.find((server) => server[1] === first[0])?.[0]
    assert.strictEqual(first[2], renderer)
    assert.strictEqual(second[2], renderer)
    assert.isAtLeast(Number(first[1]), 195)
    assert.isBelow(Number(second[1]), Number(first[1]))
    // Both ended by themselves when they were told to.
    assert.deepStrictEqual(
      matches(output, /^(\d+) has stopped$/gm).map(([id]) => id).sort(),
      servers.map(([id]) => id).sort()
    )
  }
}

describe("examples", () => {
  let project = ""

  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), "mccache-examples-"))
    const installed = join(project, "node_modules/mccache")
    mkdirSync(installed, { recursive: true })
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    // What npm installs with it, and what its users have for TypeScript.
    const own = ["@types/node", "@effect/vitest", "vitest"]
    for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), ...own]) {
      const link = join(project, "node_modules", name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(join(root, "node_modules", name), link, "junction")
    }
    copyFileSync(join(root, "package.json"), join(installed, "package.json"))
    await compile("--project", join(root, "tsconfig.build.json"), "--outDir", join(installed, "dist"))
    for (const example of examples) copyFileSync(join(root, "examples", example), join(project, example))
    for (const [name, source] of readme) writeFileSync(join(project, name), source)
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "a-users-project", type: "module" }))
  })

  afterAll(() => rmSync(project, { recursive: true, force: true }))

  /** Runs the compiler; its messages are in the error when there are any. */
  const compile = async (...parameters: ReadonlyArray<string>): Promise<void> => {
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...parameters]).catch((error) => {
      throw new Error(`tsc ${parameters.join(" ")}:\n${error.stdout}${error.stderr}`)
    })
  }

  /** What an example prints. Rejects when it fails, or does not end; then nothing that it started is left. */
  const runExample = async (...program: ReadonlyArray<string>): Promise<string> => {
    // Not the settings of whoever runs the tests, and a group that no other run of them is in.
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(MCCACHE_|TEST_|NODE_OPTIONS$|PORT$)/.test(name))
    )
    const child = spawn(process.execPath, program, {
      cwd: project,
      env: { ...environment, MCCACHE_MULTICAST_IP: `224.0.0.3:${10_000 + process.pid % 20_000}` },
      // A group of processes of its own, to end as one.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const timer = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), deadlineMillis)
    const [output, errors, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit")
    ])
    clearTimeout(timer)
    assert.strictEqual(code, 0, `${program.join(" ")} ended with ${signal ?? code}:\n${output}${errors}`)
    return output
  }

  it("each has an expectation", () => {
    assert.deepStrictEqual(examples, Object.keys(expectations).sort())
  })

  it("type-check in a user's project", async () => {
    const compilerOptions = {
      lib: ["ES2024"],
      module: "NodeNext",
      noEmit: true,
      skipLibCheck: true,
      strict: true,
      target: "ES2024",
      types: ["node"]
    }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
    await compile("--project", join(project, "tsconfig.json"))
  })

  it("of the README run as they stand there", async () => {
    assert.lengthOf(readme, 4)
    for (const [name] of readme) {
      if (name.endsWith(".test.ts")) {
        const output = await runExample(join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", project, name)
        assert.match(output, /1 passed/)
      } else await runExample(name)
    }
  })

  for (const example of examples) {
    it(`${example} runs, ends by itself, and shows what it says`, async () => {
      expectations[example](await runExample(example))
    })
  }
})
