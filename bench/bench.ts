/**
 * The bench: McCache beside its peers, each case in a fresh process, in one run on one machine.
 *
 *     npm run bench                                all suites
 *     npm run bench -- --quick                     what the budgets need, in three minutes
 *     npm run bench -- --only local                suites whose name contains it
 *     npm run bench -- --only throughput/100B      or groups
 *     npm run bench -- --runs 7                    more runs of each case than the suite says
 *     npm run bench -- --list                      what there is
 *
 * Prints a table a suite and the budgets of the design, and writes `bench/results/<suite>.json` (`.quick.json`). Exits with 1
 * when a case failed; a budget that is missed is told and fails nothing, for machines differ.
 */
import { spawn, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { suites } from "./suites.ts"
import type { Told } from "./support/child.ts"
import * as Machine from "./support/Machine.ts"
import * as Results from "./support/Results.ts"
import type { Budget, Case, Figures, Look, Suite } from "./support/Suite.ts"
import * as Table from "./support/Table.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    runs: { type: "string" },
    list: { type: "boolean", default: false }
  }
})

const { quick } = values
const givenRuns = values.runs === undefined ? undefined : Number(values.runs)
if (givenRuns !== undefined && !(Number.isSafeInteger(givenRuns) && givenRuns > 0 && givenRuns <= 100)) {
  console.error(`--runs is ${JSON.stringify(values.runs)}; accepted: a whole number from 1 to 100.`)
  process.exit(2)
}

const nameOf = (suite: string, { group, subject }: Case): string => `${suite}/${group}/${subject}`
const child = fileURLToPath(new URL("./support/child.ts", import.meta.url))

/** Runs a case once, in a process of its own. */
const runOnce = (suite: Suite, one: Case): Promise<Told> =>
  new Promise((resolve) => {
    const file = new URL(`./suites/${suite.name}.ts`, import.meta.url).href
    const running = spawn(process.execPath, ["--expose-gc", child, file, JSON.stringify(one)], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      // Neither the user's own settings nor a cluster of theirs.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MCCACHE_"))),
      detached: true
    })
    let output = ""
    const secondsMax = suite.caseSecondsMax ?? 120
    const end = (): void => {
      try {
        // With whatever it started.
        if (running.pid !== undefined) process.kill(-running.pid, "SIGKILL")
      } catch {
        // All of them are gone.
      }
    }
    const timer = setTimeout(() => {
      output = JSON.stringify({ failed: `it took more than ${secondsMax} s` })
      end()
    }, 1_000 * secondsMax)
    running.stdio[3]?.on("data", (bytes: Uint8Array) => output += Buffer.from(bytes).toString())
    running.on("close", (code) => {
      clearTimeout(timer)
      end()
      resolve(output === "" ? { failed: `it ended with ${code}` } : JSON.parse(output) as Told)
    })
  })

interface Running {
  readonly one: Case
  readonly runs: Array<Figures>
  skipped?: string
  failed?: string
}

const runSuite = async (suite: Suite, cases: ReadonlyArray<Case>): Promise<ReadonlyArray<Results.Result>> => {
  const runs = givenRuns ?? (quick ? suite.runs?.quick ?? 1 : suite.runs?.full ?? 3)
  const all: Array<Running> = cases.map((one) => ({ one, runs: [] }))
  for (const group of new Set(cases.map((one) => one.group))) {
    const members = all.filter(({ one }) => one.group === group)
    // Peers in turn: what changes on the machine hits all of them alike.
    for (let run = 0; run < runs; run++) {
      for (const running of members) {
        if (running.skipped !== undefined || running.failed !== undefined) continue
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${nameOf(suite.name, running.one)} ${run + 1}/${runs}`)
        const told = await runOnce(suite, running.one)
        if ("figures" in told) running.runs.push(told.figures)
        else if ("skipped" in told) running.skipped = told.skipped
        else running.failed = told.failed
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K")
  return all.map(({ failed, one, runs, skipped }) => ({
    suite: suite.name,
    ...one,
    runs,
    ...(skipped === undefined ? {} : { skipped }),
    ...(failed === undefined ? {} : { failed })
  }))
}

const print = (results: ReadonlyArray<Results.Result>): void => {
  const names = [...new Set(results.flatMap(({ runs }) => runs.flatMap((figures) => Object.keys(figures))))]
  const head = ["group", "subject", ...names]
  const rows = results.map((result) => [
    result.group,
    result.subject,
    ...(result.skipped !== undefined
      ? ["skipped: " + result.skipped]
      : result.failed !== undefined
      ? ["FAILED"]
      : names.map((name) => Table.figure(Results.figureOf(result, name))))
  ])
  console.log(Table.terminal(head, rows))
  for (const { failed, group, subject } of results) {
    if (failed !== undefined) console.log(`\n${group}/${subject} failed: ${failed}`)
  }
}

const chosen = suites.map((suite) => ({
  suite,
  cases: suite.cases(quick).filter((one) =>
    nameOf(suite.name, one).includes(values.only) || suite.name.includes(values.only)
  )
})).filter(({ cases }) => cases.length > 0)
if (chosen.length === 0) {
  console.error(`No case's name contains ${JSON.stringify(values.only)}; --list tells them.`)
  process.exit(2)
}
if (values.list) {
  for (const { cases, suite } of chosen) for (const one of cases) console.log(nameOf(suite.name, one))
  process.exit(0)
}

// Peers that are servers are installed when that is possible, and else their cases are skipped; either is said.
spawnSync(fileURLToPath(new URL("./servers.sh", import.meta.url)), { stdio: "inherit" })
const machine = Machine.read()
console.log(
  `${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}` +
    `${machine.modified ? " and changes" : ""}, load ${machine.load}`
)
if (machine.load > 0.5) console.log("The machine is busy: figures are to be doubted.")

const began = performance.now()
let failed = false
const budgets: Array<Budget> = []
for (const { cases, suite } of chosen) {
  console.log(`\n${suite.title}\n`)
  const results = await runSuite(suite, cases)
  print(results)
  failed ||= results.some((result) => result.failed !== undefined)
  const look: Look = (group, subject, name) =>
    Results.figureOf(results.find((result) => result.group === group && result.subject === subject), name)
  budgets.push(...suite.budgets?.(look) ?? [])
  // A part of a suite is no result of it.
  if (cases.length === suite.cases(quick).length) {
    Results.write({ suite: suite.name, title: suite.title, quick, machine, results })
  }
}
if (budgets.length > 0) {
  console.log("\nBudgets (section 13 of the design)\n")
  console.log(Table.terminal(
    ["budget", "bound", "measured", ""],
    budgets.map(({ bound, measured, met, name }) => [name, bound, measured, met ? "met" : "missed"])
  ))
}
console.log(`\n${Math.round((performance.now() - began) / 1_000)} s`)
process.exit(failed ? 1 : 0)
