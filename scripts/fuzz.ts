/**
 * The long run of the fuzzers: `npm run fuzz -- --datagrams N --seed S --minutes M`. Decoders and live members, each under
 * each generator, in rounds with a seed each. Prints progress and a table; a failure prints what repeats it, and ends the
 * run with 1.
 */
import { parseArgs } from "node:util"
import { decoders } from "../test/fuzz/Decoders.ts"
import * as Run from "../test/fuzz/Run.ts"
import * as Siege from "../test/fuzz/Siege.ts"

const { values } = parseArgs({
  options: {
    datagrams: { type: "string", default: "5000000" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "15" },
    /** Repeats one case: a row of the table, in the round of `seed` only. */
    only: { type: "string" }
  }
})
const [datagramsMax, seed, minutes] = [values.datagrams, values.seed, values.minutes].map(Number)
if (![datagramsMax, seed, minutes].every((number) => Number.isFinite(number) && number > 0)) {
  console.error("usage: npm run fuzz -- [--datagrams N] [--seed S] [--minutes M] [--only ROW]")
  process.exit(2)
}

/** The worst of a round may be a pause of the machine: its median over rounds may not. */
const worstMillisMax = 50
/** What the heap may grow by over a round, with all that checks it, and over the whole run. */
const heapGrowthBytesMax = 64 * 1_048_576
const perRound = { decoder: 30_000, configuration: 2_000, siege: 6_000, hostile: 6_000 } as const

interface Row {
  readonly name: string
  readonly run: (seed: number) => Promise<Round>
  datagrams: number
  accepted: number
  readonly refused: Map<string, number>
  readonly worst: Array<number>
  heapGrowthMax: number
}

interface Round {
  readonly datagrams: number
  readonly accepted: number
  readonly refused: { readonly [reason: string]: number }
  readonly worstMillis: number
  readonly heapGrowthBytes: number
}

const captures = await Run.capture()

const row = (name: string, run: Row["run"]): Row => ({
  name,
  run,
  datagrams: 0,
  accepted: 0,
  refused: new Map(),
  worst: [],
  heapGrowthMax: 0
})

const rows: ReadonlyArray<Row> = [
  ...decoders().flatMap(({ name }) =>
    Run.generators.map((generator) =>
      row(`${name}, ${generator}`, (seed) => {
        // Anew each time: a round is repeated by its seed alone.
        const decoder = decoders().find((each) => each.name === name)
        if (decoder === undefined) throw new Error(`There is no decoder ${name}.`)
        const count = name === "configuration" ? perRound.configuration : perRound.decoder
        const heapBytes = Run.heapBytes()
        const outcome = Run.feed(decoder, Run.inputs(decoder, generator, captures.contents, seed), count)
        return Promise.resolve({
          datagrams: count,
          accepted: outcome.accepted,
          refused: { malformed: count - outcome.accepted },
          worstMillis: outcome.worstAgainMillis,
          heapGrowthBytes: Run.heapBytes() - heapBytes
        })
      })
    )
  ),
  ...Siege.kinds.flatMap((kind) =>
    [false, true].map((keyed) =>
      row(`member ${keyed ? "with" : "without"} key, ${kind}`, async (seed) => {
        const datagrams = kind === "hostile" ? perRound.hostile : perRound.siege
        const result = await Run.siege(captures, { seed, kind, keyed, datagrams })
        return {
          datagrams: result.datagrams,
          accepted: result.operations,
          refused: result.refused,
          worstMillis: result.worstMillis,
          heapGrowthBytes: result.heapGrowthBytes
        }
      })
    )
  )
].filter(({ name }) => values.only === undefined || name === values.only)
if (rows.length === 0) {
  console.error(
    `--only is ${
      JSON.stringify(values.only)
    }; accepted: a target and its kind, as the table that a run prints has them.`
  )
  process.exit(2)
}

const median = (of: ReadonlyArray<number>): number => [...of].sort((a, b) => a - b)[of.length >> 1] ?? 0

const micros = (millis: number): string => Math.round(millis * 1_000).toLocaleString("en-US")
const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1)

const table = (): string =>
  [
    ["target, kind", "datagrams", "accepted", "worst µs", "median of worst µs", "heap growth MiB", "refused"],
    ...rows.map((each) => [
      each.name,
      each.datagrams.toLocaleString("en-US"),
      each.accepted.toLocaleString("en-US"),
      micros(Math.max(0, ...each.worst)),
      micros(median(each.worst)),
      mebibytes(each.heapGrowthMax),
      [...each.refused].map(([reason, count]) => `${reason} ${count.toLocaleString("en-US")}`).join(", ")
    ])
  ].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const fail = (what: string, name: string, round: number, error?: unknown): never => {
  console.error(table())
  console.error(`\nFAILED: ${what}`)
  if (error !== undefined) console.error(error)
  console.error(`Repeat it with: npm run fuzz -- --seed ${round} --only ${JSON.stringify(name)} --datagrams 1`)
  process.exit(1)
}

let current = { name: "", round: seed }
process.on("unhandledRejection", (error) => fail("an unhandled rejection", current.name, current.round, error))
process.on("uncaughtException", (error) => fail("an uncaught exception", current.name, current.round, error))

const begun = performance.now()
const heapBefore = Run.heapBytes()
let datagrams = 0
let round = seed
let told = 0
for (; datagrams < datagramsMax && performance.now() - begun < minutes * 60_000; round++) {
  for (const each of rows) {
    if (datagrams >= datagramsMax) break
    current = { name: each.name, round }
    const outcome = await each.run(round).catch((error: unknown) => fail("a check failed", each.name, round, error))
    each.heapGrowthMax = Math.max(each.heapGrowthMax, outcome.heapGrowthBytes)
    if (globalThis.gc !== undefined && outcome.heapGrowthBytes > heapGrowthBytesMax) {
      fail(`the heap grew by ${mebibytes(outcome.heapGrowthBytes)} MiB`, each.name, round)
    }
    each.datagrams += outcome.datagrams
    each.accepted += outcome.accepted
    each.worst.push(outcome.worstMillis)
    for (const [reason, count] of Object.entries(outcome.refused)) {
      each.refused.set(reason, (each.refused.get(reason) ?? 0) + count)
    }
    datagrams += outcome.datagrams
  }
  if (performance.now() - told > 10_000) {
    told = performance.now()
    console.log(
      `${((told - begun) / 1_000).toFixed(0)} s: round ${round}, ${datagrams.toLocaleString("en-US")} datagrams`
    )
  }
}
const seconds = (performance.now() - begun) / 1_000
const growth = Run.heapBytes() - heapBefore
console.log(table())
console.log(
  `\n${datagrams.toLocaleString("en-US")} datagrams, seeds ${seed} to ${round - 1}, ${
    seconds.toFixed(0)
  } s, heap growth ${mebibytes(growth)} MiB, Node ${process.version}`
)
for (const each of rows) {
  if (median(each.worst) > worstMillisMax) {
    fail(`the median of the worst is ${micros(median(each.worst))} µs`, each.name, seed)
  }
}
if (globalThis.gc !== undefined && growth > heapGrowthBytesMax) {
  fail(`the heap grew by ${mebibytes(growth)} MiB`, "", seed)
}
