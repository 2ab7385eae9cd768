/**
 * A soak: members in processes of their own change a cache at random, as fast as one timer allows, while their memory is
 * sampled; at the end all must hold the same, no invariant may have been broken, and memory must have been flat.
 *
 * ```
 * node scripts/soak.ts --minutes 10 --members 5 --aperture 1 [--loopback] [--json soak.json] [--seed 1]
 * ```
 *
 * Each member has a network namespace of its own, for which this must run as root; with `--loopback` they share 127.0.0.1.
 *
 * **Flat** is judged of each member by its resident set after a garbage collection, sampled every 5 s, in the second half of the
 * run: the slope of a least-squares line is at most 1 MiB a minute, and the median is at most 1.15 times that of the second
 * quarter; of a run under 4 minutes only the medians are compared, because the caches are still being filled and a slope
 * over seconds is noise. Members run with a young generation of 1 MiB: V8 maps pages for a large one early and touches them over
 * tens of minutes, which looks like growth (docs/testing.md). Exit code 1: not coherent, or not flat.
 */
import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Driver, type Player } from "../test/network/support/Driver.ts"
import { kernel, Lan, unavailable } from "../test/network/support/Namespaces.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    members: { type: "string", default: "5" },
    aperture: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    loopback: { type: "boolean", default: false },
    json: { type: "string" }
  }
})

const number = (name: "minutes" | "members" | "aperture" | "seed", minimum: number, maximum: number): number => {
  const given = Number(values[name])
  if (given >= minimum && given <= maximum) return given
  process.stderr.write(`--${name} is ${JSON.stringify(values[name])}; accepted: ${minimum} to ${maximum}.\n`)
  process.exit(2)
}

const minutes = number("minutes", 0.1, 24 * 60)
const members = number("members", 2, 5)
const apertureMillis = number("aperture", 1, 60_000)
const seed = number("seed", 0, 2 ** 31)

const mebibyte = 1_048_576
const sampleMillis = 5_000
const slopeMax = 1
const growthMax = 1.15

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

interface Sample extends Memory {
  readonly minutes: number
}

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((left, right) => left - right)
  return sorted.length === 0 ? Number.NaN : (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** MiB a minute, by least squares. */
const slopeOf = (samples: ReadonlyArray<Sample>, of: (sample: Sample) => number): number => {
  const meanX = samples.reduce((sum, { minutes }) => sum + minutes, 0) / samples.length
  const meanY = samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  let above = 0
  let below = 0
  for (const sample of samples) {
    above += (sample.minutes - meanX) * (of(sample) - meanY)
    below += (sample.minutes - meanX) ** 2
  }
  return above / below / mebibyte
}

const judge = (samples: ReadonlyArray<Sample>) => {
  const end = samples.at(-1)?.minutes ?? 0
  const secondQuarter = samples.filter((sample) => sample.minutes > end / 4 && sample.minutes <= end / 2)
  const secondHalf = samples.filter((sample) => sample.minutes > end / 2)
  const slope = slopeOf(secondHalf, ({ rss }) => rss)
  // Not judged: tells what is kept from what the allocator does not give back.
  const heapSlope = slopeOf(secondHalf, ({ external, heapUsed }) => heapUsed + external)
  const growth = median(secondHalf.map(({ rss }) => rss)) / median(secondQuarter.map(({ rss }) => rss))
  return { slope, heapSlope, growth, flat: growth <= growthMax && (minutes < 4 || slope <= slopeMax) }
}

const reason = values.loopback ? undefined : unavailable()
if (reason !== undefined) {
  process.stderr.write(`The soak cannot run in network namespaces: ${reason}. Run it as root, or with --loopback.\n`)
  process.exit(2)
}

const durationMillis = minutes * 60_000
const driver = new Driver(values.loopback ? undefined : new Lan(members), {
  // What is told of every change would be most of the work; looking every second still sees what would be wrong.
  tell: "removals",
  lookMillis: 1_000,
  lifeMillis: durationMillis + 300_000,
  valuesMax: 512
})
let passed = false

/** One sample of each member. */
const sampleAll = async (began: number, samples: ReadonlyMap<Player, Array<Sample>>): Promise<void> => {
  await Promise.all([...samples].map(async ([player, taken]) => {
    const { external, heapUsed, rss } = await player.ask<Memory>("memory")
    taken.push({ minutes: (performance.now() - began) / 60_000, rss, heapUsed, external })
  }))
}

try {
  const players = await driver.startAll(members, () => ({ measured: true }))
  const samples = new Map<Player, Array<Sample>>(players.map((player) => [player, []]))
  const began = performance.now()
  await Promise.all(
    players.map((player) =>
      player.work({ seed: seed * 1_000 + player.host, keys: 1_000, apertureMillis, bytesMax: 1_000, clears: 0.000_02 })
    )
  )
  for (let due = began + sampleMillis; due <= began + durationMillis; due += sampleMillis) {
    await sleep(Math.max(0, due - performance.now()))
    await sampleAll(began, samples)
    driver.history.check()
  }
  const operations = await Promise.all(players.map((player) => player.ask<number>("rest")))
  const tookMillis = performance.now() - began
  const coherentMillis = await driver.coherent(30_000).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return undefined
  })
  const held = (await players[0].held()).length

  const rows = await Promise.all(players.map(async (player, index) => {
    const taken = samples.get(player) ?? []
    const metrics = await player.metrics()
    return {
      member: player.host,
      operations: operations[index],
      datagramsIn: metrics.network.datagramsIn,
      lost: metrics.network.lost,
      overflow: metrics.network.receiveOverflow,
      collisions: metrics.coherence.collisions,
      repairs: metrics.coherence.repairRounds,
      rssMiB: Math.round((taken.at(-1)?.rss ?? 0) / mebibyte),
      heapMiB: Math.round((taken.at(-1)?.heapUsed ?? 0) / mebibyte),
      ...judge(taken)
    }
  }))
  const total = operations.reduce((sum, count) => sum + count, 0)
  console.table(
    rows.map((row) => ({
      ...row,
      slope: row.slope.toFixed(2),
      heapSlope: row.heapSlope.toFixed(2),
      growth: row.growth.toFixed(3)
    }))
  )
  passed = coherentMillis !== undefined && rows.every(({ flat }) => flat)
  const report = {
    passed,
    machine: {
      kernel: kernel(),
      node: process.version,
      cores: cpus().length,
      network: values.loopback ? "loopback" : "veth"
    },
    minutes,
    members,
    apertureMillis,
    operations: total,
    operationsPerSecond: Math.round(total / tookMillis * 1_000),
    facts: driver.history.facts,
    entries: held,
    coherentMillis,
    rows,
    samplesMiB: [...samples.values()].map((taken) => taken.map(({ rss }) => Math.round(rss / mebibyte * 10) / 10))
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, undefined, 2))
  const { rows: _, samplesMiB: __, ...brief } = report
  console.log(JSON.stringify(brief))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
} finally {
  await driver.close()
}
process.exit(passed ? 0 : 1)
