/**
 * The stress test over its matrix, one run after the other: 3, 5 and 9 members at apertures of 10, 1 and 0.1 ms, small values and
 * both sizes, 0 and 10 % of datagrams dropped. Prints a Markdown table, a row for each run as it ends.
 *
 * ```
 * node scripts/stress-matrix.ts [--seconds 5] [--seed 1]
 * ```
 *
 * Exit code 1: a run failed, or members held the same later than 1 s after the last change.
 */
import { execFile } from "node:child_process"
import { loadavg } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { cell, columns, type Outcome } from "../src/runtime/stress/Outcome.ts"

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "5" }, seed: { type: "string", default: "1" } }
})
const drainMillisMax = 1_000
const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url))

/** One run. It ends with 1 when it fails, and says so in its JSON. */
const run = (members: number, aperture: string, mix: string, tantrum: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const args = ["-C", `${members}`, "-A", aperture, "-M", mix, "-T", tantrum, "-R", `${values.seconds} seconds`]
    execFile(
      process.execPath,
      [bin, "stress", "--json", "-S", values.seed, ...args],
      { maxBuffer: 64 * 1_048_576, timeout: Number(values.seconds) * 1_000 + 180_000 },
      (error, stdout, stderr) => {
        if (stdout === "") reject(error ?? new Error(stderr))
        else resolve(JSON.parse(stdout))
      }
    )
  })

const shown = columns.filter(({ name }) => name !== "repair rounds" && name !== "entries")
const row = (cells: ReadonlyArray<string>): void => console.log(`| ${cells.join(" | ")} |`)
row(["members", "aperture ms", "values", "dropped", "result", "drain ms", ...shown.map(({ name }) => name), "load"])
row([..."------".split(""), ...shown.map(() => "-"), "-"].map(() => "---"))

let failed = 0
for (const members of [3, 5, 9]) {
  for (const aperture of ["10", "1", "0.1"]) {
    for (const mix of ["1", "3"]) {
      for (const tantrum of ["0", "10"]) {
        const outcome = await run(members, `${aperture} millis`, mix, tantrum)
        const { drainMillis, members: reports, plan, problems, result } = outcome
        const passed = result === "pass" && drainMillis !== null && drainMillis <= drainMillisMax
        if (!passed) failed++
        row([
          `${members}`,
          aperture,
          plan.sizes,
          `${tantrum} %`,
          passed ? "pass" : `**fail** ${problems.join("; ")}`,
          drainMillis === null ? "never" : drainMillis.toFixed(0),
          ...shown.map((column) => cell(column, reports)),
          loadavg()[0].toFixed(1)
        ])
      }
    }
  }
}
process.exit(failed === 0 ? 0 : 1)
