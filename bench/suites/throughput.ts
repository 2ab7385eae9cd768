/**
 * Sustained replication: writers write as fast as the others take it, for some seconds, nothing is lost, and at the end all
 * hold the same. The clock runs from the first write until the last receiver has the last value; the same load was carried for
 * a while before, so that the code is compiled and the windows are open. Operations are those that were delivered to each
 * receiver, counted there: McCache may carry only the last of two writes of a key, and is not paid for the first.
 *
 * `dgram`, `msgpackr` and `aes` do a part of the work only: they are limits, not peers.
 */
import { Packr } from "msgpackr"
import { createCipheriv, randomBytes } from "node:crypto"
import * as Processes from "../support/Processes.ts"
import * as Servers from "../support/Servers.ts"
import {
  type Budget,
  type Case,
  expect,
  type Figures,
  type Look,
  type Parameter,
  type Suite
} from "../support/Suite.ts"
import * as Load from "../support/ThroughputLoad.ts"
import type { Usage } from "../support/ThroughputRole.ts"

// ---------------------------------------------------------------------------------------------------- cases

interface Work {
  readonly valueBytes: number
  readonly receivers: number
  readonly writers: number
  /** 0: loopback's default. */
  readonly datagramBytes: number
  readonly sealed: boolean
  readonly lossPercent: number
}

const ethernetBytes = 1_472
/** What McCache takes on loopback when nothing is said, for the peer. */
const loopbackBytes = 15_872

const base: Work = {
  valueBytes: 100,
  receivers: 1,
  writers: 1,
  datagramBytes: ethernetBytes,
  sealed: false,
  lossPercent: 0
}

interface Group {
  readonly name: string
  readonly work: Work
  readonly subjects: ReadonlyArray<string>
  readonly quick: ReadonlyArray<string>
}

const group = (
  name: string,
  work: Partial<Work>,
  subjects: ReadonlyArray<string>,
  quick: ReadonlyArray<string> = []
): Group => ({ name, work: { ...base, ...work }, subjects, quick })

const peers = ["mccache", "redis", "nats"]

const groups: ReadonlyArray<Group> = [
  group("100B", {}, [...peers, "dgram", "msgpackr"], peers),
  group("1KB", { valueBytes: 1_000 }, [...peers, "dgram"]),
  group("10KB", { valueBytes: 10_000 }, [...peers, "dgram"]),
  group("100KB", { valueBytes: 100_000 }, [...peers, "dgram"], ["mccache", "dgram"]),
  group("100B-sealed", { sealed: true }, ["mccache", "aes"], ["mccache"]),
  group("100B-large-datagrams", { datagramBytes: 0 }, ["mccache", "dgram"], ["mccache"]),
  group("100B-large-datagrams-sealed", { datagramBytes: 0, sealed: true }, ["mccache", "aes"]),
  group("100KB-large-datagrams", { valueBytes: 100_000, datagramBytes: 0 }, ["mccache", "dgram"]),
  group("100B-2-receivers", { receivers: 2 }, peers),
  group("100B-4-receivers", { receivers: 4 }, peers),
  group("100B-2-writers", { writers: 2 }, peers),
  group("100B-4-writers", { writers: 4 }, peers),
  group("100B-2-writers-large-datagrams", { writers: 2, datagramBytes: 0 }, ["mccache"]),
  group("100B-4-writers-large-datagrams", { writers: 4, datagramBytes: 0 }, ["mccache"]),
  group("100B-1%-loss", { lossPercent: 1 }, ["mccache"]),
  group("100B-5%-loss", { lossPercent: 5 }, ["mccache"])
]

const cases = (quick: boolean): ReadonlyArray<Case> =>
  groups.flatMap(({ name, quick: quickly, subjects, work }) =>
    (quick ? quickly : subjects).map((subject): Case => ({
      group: name,
      subject,
      parameters: { ...work, warmSeconds: quick ? 0.7 : 1, loadSeconds: quick ? 1.3 : 2.5 }
    }))
  )

// ---------------------------------------------------------------------------------------------------- running

const roles: { readonly [subject: string]: URL } = {
  mccache: new URL("../roles/ThroughputMember.ts", import.meta.url),
  dgram: new URL("../roles/ThroughputDgram.ts", import.meta.url),
  redis: new URL("../roles/ThroughputRedis.ts", import.meta.url),
  nats: new URL("../roles/ThroughputNats.ts", import.meta.url)
}

/** More than any subject does: a bound all the same. */
const operationsMax = 20_000_000

/** `BENCH_CPU_PROFILE=directory` has every process of a case leave its profile there. */
const nodeFlags = (): ReadonlyArray<string> => {
  const directory = process.env["BENCH_CPU_PROFILE"]
  return directory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${directory}`]
}

const carry = async (subject: string, given: { readonly [name: string]: Parameter }): Promise<Figures> => {
  const work = given as unknown as Work & { readonly warmSeconds: number; readonly loadSeconds: number }
  const members = work.writers + work.receivers
  const server = subject === "redis" ? await Servers.redis() : subject === "nats" ? await Servers.nats() : undefined
  const setup = {
    ...work,
    members,
    datagramBytes: subject === "dgram" && work.datagramBytes === 0 ? loopbackBytes : work.datagramBytes,
    port: server?.port ?? 20_000 + process.pid % 10_000
  }
  const all = Array.from({ length: members }, () => Processes.start(roles[subject], { nodeFlags: nodeFlags() }))
  const writers = all.slice(0, work.writers)
  await Promise.all(all.map((role, index) => role.ask("open", { ...setup, index } satisfies Load.Setup)))
  await Promise.all(all.map((role) => role.ask("met")))

  /** Loads for a while and waits until everybody has everything. Returns the milliseconds and what each writer wrote. */
  const load = async (seconds: number): Promise<{ readonly millis: number; readonly operations: Array<number> }> => {
    const written = await Promise.all(
      writers.map((role) => role.ask<Load.Written>("write", { seconds, operationsMax }))
    )
    const operations = written.map((each) => each.operations)
    const total = operations.reduce((sum, count) => sum + count, 0)
    const ends = await Promise.all(
      all.map((role, index) => role.ask<number>("until", total - (operations[index] ?? 0)))
    )
    const receiversEnd = Math.max(...ends)
    return { millis: receiversEnd - Math.min(...written.map((each) => each.beganMillis)), operations }
  }

  const before = await load(work.warmSeconds)
  await Promise.all(all.map((role) => role.ask("begin")))
  const { millis, operations } = await load(work.loadSeconds)
  const usages = await Promise.all(all.map((role) => role.ask<Usage>("usage")))

  const total = operations.reduce((sum, count) => sum + count, 0)
  const received = await Promise.all(all.map((role) => role.ask<number>("received")))
  for (const [index, count] of received.entries()) {
    expect(count === total - (operations[index] ?? 0), `member ${index} received ${count} of ${total} values`)
  }
  const right = await Promise.all(all.map((role) => role.ask<boolean>("holds", operations)))
  expect(right.every(Boolean), "a member holds something else than the last value of a key")
  // Of subjects whose writers hold what they write.
  const holders = subject === "mccache" || work.writers > 1 ? all : all.slice(work.writers)
  const checksums = await Promise.all(holders.map((role) => role.ask<string>("checksum")))
  expect(new Set(checksums).size === 1, `members differ: ${checksums.join(", ")}`)

  const delivered = total - before.operations.reduce((sum, count) => sum + count, 0)
  const figures: Figures = {
    operationsPerSecond: 1_000 * delivered / millis,
    megabytesPerSecond: delivered * work.valueBytes / 1_000 / millis,
    // Of processor time, which a busy machine falsifies less than the rates.
    writerMicros: mean(usages.slice(0, work.writers).map(({ cpuMicros }) => cpuMicros)) * work.writers / delivered,
    receiverMicros: mean(usages.slice(work.writers).map(({ cpuMicros }) => cpuMicros)) / delivered,
    writerShare: mean(usages.slice(0, work.writers).map(({ share }) => share)),
    receiverShare: mean(usages.slice(work.writers).map(({ share }) => share))
  }
  const counted = usages.map(({ counts }) => counts)
  if ("acksOut" in counted[0]) Object.assign(figures, ofMcCache(counted))
  // By themselves, so that those that profile write it, and before the server that they are connected to.
  await Promise.allSettled(all.map((role) => role.ask("leave")))
  server?.stop()
  return figures
}

const mean = (samples: ReadonlyArray<number>): number => samples.reduce((sum, each) => sum + each, 0) / samples.length

const ofMcCache = (counts: ReadonlyArray<Figures>): Figures => {
  const sum = (name: string): number => counts.reduce((all, each) => all + each[name], 0)
  expect(sum("restarts") === 0, "an actor died")
  return {
    datagramsLost: sum("lost"),
    datagramsOverflowed: sum("overflow"),
    datagramsRepaired: sum("repaired"),
    recordsRepaired: sum("repairedRecords"),
    operationsPerDatagram: sum("putsOut") / (sum("datagramsOut") - sum("acksOut")),
    datagramsPerAck: sum("datagramsIn") / sum("acksOut")
  }
}

// ---------------------------------------------------------------------------------------------------- limits

/** How often something can be done in a second, in this process. */
const perSecond = (work: () => void): number => {
  const calls = 2_000
  let rate = 0
  for (let rounds = 0; rounds < 100; rounds++) {
    const began = performance.now()
    for (let call = 0; call < calls; call++) work()
    rate = Math.max(rate, 1_000 * calls / (performance.now() - began))
  }
  return rate
}

/** Making the envelopes that the peers with a server send. */
const encode = (work: Work): Figures => {
  const packr = new Packr({ useRecords: false })
  const keys = Load.keysOf(0, work.valueBytes)
  const values = Load.valuesOf(work.valueBytes)
  let done = 0
  const rate = perSecond(() => {
    packr.pack([keys[done % keys.length], values[done % values.length]])
    done++
  })
  expect(packr.pack([keys[0], values[0]]).length >= work.valueBytes, "an envelope holds its value")
  return { operationsPerSecond: rate, megabytesPerSecond: rate * work.valueBytes / 1e6 }
}

/** Sealing datagrams, which hold what McCache's hold: a record is some 32 bytes larger than its value. */
const seal = (work: Work): Figures => {
  const key = randomBytes(32)
  const nonce = randomBytes(12)
  const header = randomBytes(36)
  const body = randomBytes((work.datagramBytes === 0 ? loopbackBytes : work.datagramBytes) - header.length - 16)
  let sealedBytes = 0
  const rate = perSecond(() => {
    const cipher = createCipheriv("aes-256-gcm", key, nonce)
    cipher.setAAD(header)
    sealedBytes = cipher.update(body).length
    cipher.final()
    cipher.getAuthTag()
  })
  expect(sealedBytes === body.length, "a sealed body is as large as a clear one")
  const operations = rate * Math.floor(body.length / (work.valueBytes + 32))
  return { operationsPerSecond: operations, megabytesPerSecond: operations * work.valueBytes / 1e6 }
}

// ---------------------------------------------------------------------------------------------------- budgets

const thousands = (value: number): string => `${Math.round(value / 1_000)},000 op/s`

const budgets = (look: Look): ReadonlyArray<Budget> => {
  const told: Array<Budget> = []
  const rate = (name: string, subject = "mccache"): number => look(name, subject, "operationsPerSecond")
  const atLeast = (name: string, bound: number, measured: number): void => {
    if (!Number.isNaN(measured)) {
      told.push({ name, bound: `≥ ${thousands(bound)}`, measured: thousands(measured), met: measured >= bound })
    }
  }
  const atLeastTimes = (name: string, times: number, ratio: number): void => {
    if (!Number.isNaN(ratio)) {
      told.push({ name, bound: `≥ ${times} ×`, measured: `${ratio.toFixed(2)} ×`, met: ratio >= times })
    }
  }
  atLeast("replication, 100 B, datagrams of 1472 B", 400_000, rate("100B"))
  atLeast("the same, sealed", 250_000, rate("100B-sealed"))
  atLeast("the same, datagrams of loopback's default size", 700_000, rate("100B-large-datagrams"))
  atLeastTimes("replication, 100 B, to Redis's publish and subscribe", 2, rate("100B") / rate("100B", "redis"))
  atLeastTimes("replication, 100 B, to NATS", 1, rate("100B") / rate("100B", "nats"))
  atLeastTimes("the same, datagrams of loopback's default size", 1, rate("100B-large-datagrams") / rate("100B", "nats"))
  atLeastTimes("replication, 100 KB, to bare dgram", 0.5, rate("100KB") / rate("100KB", "dgram"))
  return told
}

export const suite: Suite = {
  name: "throughput",
  title: "Sustained replication: operations delivered to each receiver, nothing lost",
  caseSecondsMax: 60,
  cases,
  run: ({ parameters, subject }) => {
    const work = parameters as unknown as Work
    if (subject === "msgpackr") return Promise.resolve(encode(work))
    if (subject === "aes") return Promise.resolve(seal(work))
    return carry(subject, parameters)
  },
  budgets
}
