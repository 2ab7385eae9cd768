/**
 * Runs the swarm against every mutant (`test/mutants/Mutants.ts`), each in a copy of the tree, and tells which were noticed.
 * Some are for the model or for a test, as they say themselves.
 *
 *     npm run mutants                          all, and the tree as it is, which must be clean
 *     npm run mutants -- --only "ack before"   those whose names contain it, or one of several parts
 *     npm run mutants -- --seeds 200 --jobs 2
 *
 * Exits with 1 when a mutant survives, when one does not run, or when the tree as it is breaks an invariant.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Mutant } from "../test/mutants/Mutants.ts"
import { mutants } from "../test/mutants/Mutants.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" }
  }
})

const whole = (name: "seeds" | "from" | "jobs"): number => {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value > 0) return value
  console.error(`--${name} is ${JSON.stringify(values[name])}; accepted: a whole number from 1.`)
  process.exit(2)
}
const seeds = whole("seeds")
const from = whole("from")
const jobs = whole("jobs")

const root = fileURLToPath(new URL("../", import.meta.url))
/** A mutant may make a run that never ends. A seed takes half a second, and none of them minutes. */
const seedMillisMax = 120_000

type Verdict =
  | { readonly _tag: "Killed"; readonly invariant: number; readonly seed: number; readonly message: string }
  | { readonly _tag: "Failing"; readonly tests: number }
  | { readonly _tag: "Hung" | "Clean" }
  | { readonly _tag: "Failed"; readonly text: string }

/** Copies what the swarm and the tests need. */
const copy = (directory: string): void => {
  for (const path of ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    cpSync(join(root, path), join(directory, path), { recursive: true })
  }
  symlinkSync(realpathSync(join(root, "node_modules")), join(directory, "node_modules"))
}

const mutate = (directory: string, { file, find, name, replace }: Mutant): void => {
  const path = join(directory, file)
  const parts = readFileSync(path, "utf8").split(find)
  if (parts.length !== 2) throw new Error(`${name}: ${file} has ${JSON.stringify(find)} ${parts.length - 1} times`)
  writeFileSync(path, parts.join(replace))
}

const readModel = (code: number | null, output: string): Verdict => {
  if (code === 0) return { _tag: "Clean" }
  const found = /^seed (\d+) .*?: (.*invariant (\d+).*)$/m.exec(output)
  if (found === null) return { _tag: "Failed", text: output.slice(-2_000) }
  return { _tag: "Killed", invariant: Number(found[3]), seed: Number(found[1]), message: found[2] }
}

const read = (code: number | null, output: string): Verdict => {
  const last = output.trimEnd().split("\n").at(-1) ?? ""
  if (last.startsWith("{") && !last.includes("\"message\":\"Invariant 10 (isolation): it threw")) {
    const told: { clean?: boolean; invariant?: number; seed?: number; message?: string } = JSON.parse(last)
    if (code === 0 && told.clean === true) return { _tag: "Clean" }
    if (code === 1 && told.invariant !== undefined) {
      return { _tag: "Killed", invariant: told.invariant, seed: told.seed ?? 0, message: told.message ?? "" }
    }
  }
  return { _tag: "Failed", text: output.slice(-2_000) }
}

const readTest = (code: number | null, output: string): Verdict => {
  if (code === 0) return { _tag: "Clean" }
  const failed = /Tests\s+(\d+) failed/.exec(output)
  if (failed === null) return { _tag: "Failed", text: output.slice(-2_000) }
  return { _tag: "Failing", tests: Number(failed[1]) }
}

/** The model does some thousand runs in the time of one seed. */
const modelRuns = 300_000

/** What looks for the violation, and how what it prints is read. */
const searcher = (count: number, by: Mutant["by"]) => {
  if (by === "model") return { program: ["scripts/model.ts", "--runs", String(modelRuns)], verdict: readModel }
  if (by !== undefined) return { program: ["node_modules/vitest/vitest.mjs", "run", by], verdict: readTest }
  return {
    program: `scripts/simulate.ts --seeds ${count} --from ${from} --stop-at-first --quiet --jobs 1`.split(" "),
    verdict: read
  }
}

/** Runs the swarm, the model or a test in a directory until the first violation. */
const search = (directory: string, count: number, by: Mutant["by"]): Promise<Verdict> =>
  new Promise((resolve) => {
    const { program, verdict } = searcher(count, by)
    const child = spawn(process.execPath, program, { cwd: directory, env: { ...process.env, NO_COLOR: "1" } })
    let output = ""
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      child.kill("SIGKILL")
    }, seedMillisMax + 3_000 * count)
    const take = (bytes: Uint8Array): void => {
      output = (output + Buffer.from(bytes).toString()).slice(-100_000)
    }
    child.stdout.on("data", take)
    child.stderr.on("data", take)
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve(hung ? { _tag: "Hung" } : verdict(code, output))
    })
  })

const attempt = async (
  mutant: Mutant | undefined,
  by = mutant?.by
): Promise<{ readonly verdict: Verdict; readonly seconds: number }> => {
  const began = performance.now()
  const directory = mkdtempSync(join(tmpdir(), "mccache-mutant-"))
  try {
    copy(directory)
    if (mutant !== undefined) mutate(directory, mutant)
    const verdict = await search(directory, seeds, by)
    return { verdict, seconds: (performance.now() - began) / 1_000 }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const nameWidth = Math.max(...mutants.map(({ name }) => name.length))
const line = (name: string, verdict: Verdict, seconds: number, expected: ReadonlyArray<number>): string => {
  const unexpected = verdict._tag === "Killed" && expected.length > 0 && !expected.includes(verdict.invariant)
  const what = verdict._tag === "Killed"
    ? `invariant ${String(verdict.invariant).padStart(2)}${unexpected ? "*" : " "}  seed ${
      String(verdict.seed).padStart(4)
    }`
    : verdict._tag === "Failing"
    ? `${verdict.tests} test${verdict.tests === 1 ? "" : "s"} failed`.padEnd(24)
    : verdict._tag === "Hung"
    ? "never ended".padEnd(24)
    : verdict._tag === "Clean"
    ? (expected.length === 0 ? "clean" : "SURVIVED").padEnd(24)
    : "DID NOT RUN".padEnd(24)
  return `${name.padEnd(nameWidth)}  ${what}  ${seconds.toFixed(1).padStart(6)} s`
}

const { only } = values
const chosen = only === undefined
  ? mutants
  : mutants.filter(({ name }) => only.split(",").some((part) => name.includes(part)))
if (chosen.length === 0) {
  console.error(`No mutant's name contains ${JSON.stringify(only)}.`)
  process.exit(2)
}

for (const by of new Set(chosen.map((mutant) => mutant.by))) {
  const { seconds, verdict } = await attempt(undefined, by)
  console.log(line(`(as it is, by ${by ?? "the swarm"})`, verdict, seconds, []))
  if (verdict._tag !== "Clean") {
    console.log(verdict)
    process.exit(1)
  }
}

const bad: Array<Mutant> = []
let unexpected = 0
const queue = [...chosen]
const worker = async (): Promise<void> => {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const { seconds, verdict } = await attempt(mutant)
    console.log(line(mutant.name, verdict, seconds, mutant.invariants))
    if (verdict._tag === "Failed") console.log(verdict.text)
    if (verdict._tag === "Clean" || verdict._tag === "Failed" || verdict._tag === "Hung") bad.push(mutant)
    if (verdict._tag === "Killed" && !mutant.invariants.includes(verdict.invariant)) unexpected++
  }
}
await Promise.all(Array.from({ length: jobs }, worker))

console.log(`\n${chosen.length - bad.length} of ${chosen.length} mutants were killed`)
if (unexpected > 0) console.log("* by another invariant than expected")
for (const { name, what } of bad) console.log(`survived: ${name} (${what})`)
process.exit(bad.length === 0 ? 0 : 1)
