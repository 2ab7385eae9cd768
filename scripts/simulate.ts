/**
 * The swarm: random simulated clusters, each derived from a seed, whose invariants are checked all along.
 *
 *     npm run simulate -- --seeds 1000            a thousand seeds from 1
 *     npm run simulate -- --seeds 1000 --from 5   from another one
 *     npm run simulate -- --minutes 3 --from commit    from one that the commit decides
 *     npm run simulate -- --seeds 1000 --small    two or three members each, and few steps
 *     npm run simulate -- --minutes 3             for so long
 *     npm run simulate -- --seed 17               one, with a readable trace
 *     npm run simulate -- --jobs 1                on one core; default all of them
 *
 * Prints each violation with its seed, the commit, the invariant, and the shortest plan that still breaks it, and a line of
 * JSON at the end. Exits with 1 when an invariant was broken.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { execFileSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker } from "node:worker_threads"
import { Violation } from "../src/testing.ts"
import * as Plan from "../test/simulation/swarm/Plan.ts"
import * as Run from "../test/simulation/swarm/Run.ts"
import * as Shrink from "../test/simulation/swarm/Shrink.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    minutes: { type: "string" },
    mode: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    small: { type: "boolean", default: false },
    "stop-at-first": { type: "boolean", default: false },
    quiet: { type: "boolean", default: false }
  }
})

const whole = (name: string, text: string, maximum = Number.MAX_SAFE_INTEGER): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0 && value <= maximum) return value
  console.error(`--${name} is ${JSON.stringify(text)}; accepted: a whole number from 0 to ${maximum}.`)
  process.exit(2)
}

type Outcome = { readonly result: Run.Result } | { readonly violation: Pick<Violation, "invariant" | "message"> }

const surroundings = Layer.merge(TestClock.layer({ warningDelay: "1 hour" }), Logger.layer([]))

/** Runs a plan in a world of its own. */
const attempt = (plan: Plan.Plan, log?: (line: string) => void): Effect.Effect<Outcome> =>
  Run.run(plan, log).pipe(
    Effect.map((result): Outcome => ({ result })),
    Effect.catchDefect((defect) =>
      defect instanceof Violation
        ? Effect.succeed<Outcome>({ violation: defect })
        // Whatever a run throws otherwise is a defect of the product or of the run: neither may pass.
        : Effect.succeed<Outcome>({ violation: new Violation(10, `it threw ${String(defect)}`) })
    ),
    Effect.scoped,
    Effect.provide(surroundings)
  )

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return "unknown"
  }
}

const given: Plan.Given = {
  small: values.small,
  ...(values.mode === undefined ? {} : { mode: whole("mode", values.mode, 2) as 0 | 1 | 2 })
}
const only = values.seed === undefined ? undefined : whole("seed", values.seed)
const ofCommit = (): number => Number.parseInt(commit(), 16) || 1
const first = only ?? (values.from === "commit" ? ofCommit() : whole("from", values.from))
const minutes = values.minutes === undefined ? Infinity : whole("minutes", values.minutes)
const count = only !== undefined
  ? 1
  : values.seeds === undefined
  ? minutes === Infinity ? 1_000 : Infinity
  : whole("seeds", values.seeds)
const jobs = only === undefined ? Math.max(1, whole("jobs", values.jobs, 1_024)) : 1
const startedAt = performance.now()
const seconds = (): number => (performance.now() - startedAt) / 1_000

const report = async (plan: Plan.Plan, violation: Pick<Violation, "invariant" | "message">): Promise<void> => {
  const also = `${values.small ? " --small" : ""}${values.mode === undefined ? "" : ` --mode ${values.mode}`}`
  console.log(`\nseed ${plan.seed}${also}, commit ${commit()}: ${violation.message}`)
  // What differs from run to run gets no shorter.
  if (values.quiet || violation.invariant === 11) return
  const breaks = (shorter: Plan.Plan) =>
    Effect.map(
      attempt(shorter),
      (outcome) => "violation" in outcome && outcome.violation.invariant === violation.invariant
    )
  const shortest = await Effect.runPromise(Shrink.shrink(plan, breaks))
  console.log(`\n${shortest.steps.length} of its ${plan.steps.length} steps still break it:\n`)
  console.log(`options ${JSON.stringify(shortest.options)}\n`)
  const again = await Effect.runPromise(attempt(shortest, (line) => console.log(line)))
  if ("violation" in again) console.log(`\n${again.violation.message}\n`)
}

/** Runs it, and one in sixteen twice: invariant 11. */
const check = Effect.fnUntraced(function*(plan: Plan.Plan) {
  const first = yield* attempt(plan)
  if ("violation" in first || (plan.seed % 16 !== 0 && only === undefined)) return first
  const second = yield* attempt(plan)
  if ("violation" in second || second.result.trace === first.result.trace) return second
  return { violation: new Violation(11, "it went another way when it was run again") }
})

/** Gives seeds to threads, each the next when it is done with the last, and tells the outcomes as they come. */
const search = (told: (seed: number, outcome: Outcome) => Promise<boolean>): Promise<void> =>
  new Promise((resolve, reject) => {
    let next = first
    let over = false
    let idle = 0
    for (let job = 0; job < jobs; job++) {
      const thread = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
      const advance = (): void => {
        if (!over && next < first + count && seconds() < 60 * minutes) return void thread.postMessage(next++)
        void thread.terminate()
        if (++idle === jobs) resolve()
      }
      thread.on("error", reject)
      thread.on("message", ([seed, outcome]: [number, Outcome]) => {
        void told(seed, outcome).then((enough) => {
          over ||= enough
          advance()
        }, reject)
      })
      advance()
    }
  })

const main = async (): Promise<void> => {
  let done = 0
  let writes = 0
  let datagrams = 0
  let flushes = 0
  let settledMillis = 0
  let toldSeconds = 0
  const broken: Array<{ readonly seed: number; readonly invariant: number; readonly message: string }> = []
  await search(async (seed, outcome) => {
    done++
    if ("violation" in outcome) {
      const { invariant, message } = outcome.violation
      broken.push({ seed, invariant, message })
      await report(Plan.make(seed, given), outcome.violation)
    } else {
      writes += outcome.result.writes
      datagrams += outcome.result.datagrams
      flushes += outcome.result.flushes
      settledMillis = Math.max(settledMillis, outcome.result.settledMillis)
      if (only !== undefined) console.log(outcome.result)
    }
    if (!values.quiet && seconds() - toldSeconds > 5) {
      toldSeconds = seconds()
      console.log(
        `${done} seeds, ${broken.length} broken, ${
          (done / toldSeconds).toFixed(1)
        } a second, ${writes} writes, ${datagrams} datagrams, ${flushes} flushes`
      )
    }
    return broken.length > 0 && values["stop-at-first"]
  })
  const [violation] = broken
  if (violation === undefined) {
    const took = { seconds: Math.round(seconds()), jobs }
    console.log(JSON.stringify({ seeds: done, clean: true, from: first, commit: commit(), ...took, settledMillis }))
  } else console.log(JSON.stringify({ ...violation, broken: broken.map(({ seed }) => seed) }))
  process.exit(violation === undefined ? 0 : 1)
}

if (isMainThread) await main()
else {
  parentPort?.on("message", (seed: number) => {
    void Effect.runPromise(check(Plan.make(seed, given))).then((outcome) => {
      const told: Outcome = "violation" in outcome
        ? { violation: { invariant: outcome.violation.invariant, message: outcome.violation.message } }
        : outcome
      parentPort?.postMessage([seed, told])
    })
  })
}
