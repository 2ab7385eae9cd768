/**
 * Searches the rules of coherence with random runs of the model (docs/testing.md).
 *
 *     node scripts/model.ts [--runs N] [--seed S] [--mode 0|1|2] [--minutes M]
 *
 * Ends with 1 and the shrunk run when an invariant breaks.
 */
import { parseArgs } from "node:util"
import { format, search, shrink } from "../test/domain/support/ModelRun.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    mode: { type: "string", default: "1" },
    minutes: { type: "string", default: "60" }
  }
})
const whole = (name: keyof typeof values, maximum = Number.MAX_SAFE_INTEGER): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number >= 0 && number <= maximum) return number
  console.error(`--${name} is ${JSON.stringify(values[name])}; accepted: a whole number from 0 to ${maximum}.`)
  process.exit(2)
}
const [runs, first, minutes] = [whole("runs"), whole("seed"), whole("minutes")]
const mode = whole("mode", 2) as 0 | 1 | 2

const counts: Record<string, number> = {}
const began = performance.now()
const elapsedSeconds = (): number => (performance.now() - began) / 1_000
let done = 0
let broken = false
while (done < runs && elapsedSeconds() < minutes * 60) {
  const run = search(first + done, mode, counts)
  done++
  if (run.wrong === undefined) continue
  console.log(`seed ${first + done - 1} (run ${done}): ${run.wrong}\n`)
  console.log(format(shrink(run)))
  broken = true
  break
}
console.log(
  `\nmode ${mode}, seeds ${first} to ${first + done - 1}: ${done} runs, ${Math.round(done / elapsedSeconds())} a second`
)
for (const what of Object.keys(counts).toSorted()) console.log(`  ${String(counts[what]).padStart(10)}  ${what}`)
if (broken) process.exitCode = 1
