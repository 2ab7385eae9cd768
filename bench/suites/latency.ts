/**
 * Write on A → readable on B: from just before `set` to the first moment at which a reader of another process has the value
 * in its hands. At idle the next probe follows 1 to 5 ms after the former was received everywhere. Under load, which is
 * writes by A of other keys, paced in ticks of a millisecond, probes go by the clock, whatever became of the former: waiting
 * would leave out those that the load delays most. With several receivers every arrival counts.
 */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import * as Probes from "../support/LatencyProbes.ts"
import { type Prepare, subjects } from "../support/LatencySubjects.ts"
import * as Processes from "../support/Processes.ts"
import * as Servers from "../support/Servers.ts"
import { quantile } from "../support/Statistics.ts"
import { type Budget, type Case, expect, type Figures, type Look, type Suite } from "../support/Suite.ts"

/**
 * Probes that are not measured: peers are met, and code is compiled, which V8 goes on with for some ten thousand calls, on the
 * processors that the probes need. In a service that is idle now and then it is; at idle these follow one another at once.
 */
const warmUp = (operationsPerSecond: number): number => operationsPerSecond === 0 ? 20_000 : 200

const group = (
  operationsPerSecond: number,
  receivers: number,
  probes: number,
  names: ReadonlyArray<string>
): ReadonlyArray<Case> =>
  names.map((subject) => ({
    group: `${operationsPerSecond === 0 ? "idle" : operationsPerSecond}-to-${receivers}`,
    subject,
    parameters: { operationsPerSecond, receivers, probes }
  }))

const cases = (quick: boolean): ReadonlyArray<Case> => {
  const peers = ["dgram", "redis", "nats"]
  const plainAndSealed = ["mccache", "mccache-sealed"]
  if (quick) return [...group(0, 1, 300, [...plainAndSealed, ...peers]), ...group(10_000, 1, 300, ["mccache"])]
  return [
    ...group(0, 1, 2_000, [...plainAndSealed, "mccache-change", ...peers, "dgram-map"]),
    ...group(0, 3, 500, ["mccache", ...peers]),
    ...group(0, 7, 400, ["mccache", "dgram"]),
    ...group(1_000, 1, 500, ["mccache", ...peers]),
    ...group(10_000, 1, 500, [...plainAndSealed, ...peers]),
    ...group(10_000, 3, 500, ["mccache"]),
    ...group(100_000, 1, 500, [...plainAndSealed, "redis", "nats"])
  ]
}

// ---------------------------------------------------------------------------------------------------- one case

/** A probe that was received is followed by the next 1 to 5 ms later. */
const pause = (): number => 1 + 4 * Math.random()

interface Sent {
  readonly at: BigInt64Array
  readonly writesPerSecond: number
}

/** At idle: one probe after the other. */
const sendInTurn = async (
  prepare: Prepare,
  receivers: ReadonlyArray<Processes.Role>,
  probes: number
): Promise<Sent> => {
  const at = new BigInt64Array(probes)
  for (let sequence = 0; sequence < probes; sequence++) {
    const heard = Promise.all(receivers.map((receiver) => receiver.ask("hear", sequence)))
    const send = prepare(Probes.probeKey(sequence), Probes.valueOf(sequence))
    if (sequence >= warmUp(0)) await sleep(pause())
    at[sequence] = Probes.now()
    send()
    await heard
  }
  return { at, writesPerSecond: 0 }
}

/** Writes that are late are made up for within this time; what is later is not made up for, and the pace reached is less. */
const debtMillisMax = 10

/** Under load: each tick makes the writes that are due, and a probe among them at a random place when one is due. */
const sendAmongOthers = (prepare: Prepare, operationsPerSecond: number, probes: number): Promise<Sent> => {
  const at = new BigInt64Array(probes)
  const background = Probes.valueOf(Probes.background)
  const perMilli = operationsPerSecond / 1_000
  const began = performance.now()
  let sequence = 0
  let probeDue = began + pause()
  let written = 0
  let forgone = 0
  const probe = (now: number): void => {
    probeDue = now + pause()
    const send = prepare(Probes.probeKey(sequence), Probes.valueOf(sequence))
    at[sequence++] = Probes.now()
    send()
  }
  return new Promise((resolve) => {
    const tick = (): void => {
      const now = performance.now()
      const late = Math.floor((now - began) * perMilli) - written - forgone
      const due = Math.min(late, Math.ceil(debtMillisMax * perMilli))
      forgone += late - due
      const place = now >= probeDue ? Math.floor(Math.random() * (due + 1)) : -1
      for (let index = 0; index <= due; index++) {
        if (index === place) probe(now)
        if (index < due) prepare(Probes.backgroundKey(written++), background)()
      }
      if (sequence < probes) setTimeout(tick, 1)
      else resolve({ at, writesPerSecond: 1_000 * written / (performance.now() - began) })
    }
    tick()
  })
}

/** Times of the two processes are of one clock: one that the other took lies between two that this one takes around it. */
const verifyClock = async (receiver: Processes.Role): Promise<void> => {
  for (let round = 0; round < 20; round++) {
    const earlier = Probes.now()
    const there = await receiver.ask<bigint>("now")
    expect(earlier <= there && there <= Probes.now(), "the processes have different clocks")
  }
}

const port = 20_000 + process.pid % 10_000

const setupOf = async ({ parameters, subject }: Case): Promise<Probes.Setup> => {
  const server = subject === "redis" ? await Servers.redis() : subject === "nats" ? await Servers.nats() : undefined
  return {
    subject,
    port: server?.port ?? port,
    cluster: `bench-latency-${process.pid}`,
    cryptoKey: subject === "mccache-sealed" ? randomBytes(32).toString("base64url") : undefined,
    probes: warmUp(Number(parameters.operationsPerSecond)) + Number(parameters.probes)
  }
}

const run = async (one: Case): Promise<Figures> => {
  const operationsPerSecond = Number(one.parameters.operationsPerSecond)
  const setup = await setupOf(one)
  const file = new URL("../roles/LatencyReceiver.ts", import.meta.url)
  const receivers = Array.from({ length: Number(one.parameters.receivers) }, () => Processes.start(file))
  const askAll = <A>(name: string, argument?: unknown): Promise<ReadonlyArray<A>> =>
    Promise.all(receivers.map((receiver) => receiver.ask<A>(name, argument)))
  await Promise.all(receivers.map(verifyClock))
  await askAll("open", setup)
  const prepare = await subjects[setup.subject].sender(setup, receivers.length)
  await askAll("look")
  const { at, writesPerSecond } = operationsPerSecond === 0
    ? await sendInTurn(prepare, receivers, setup.probes)
    : await sendAmongOthers(prepare, operationsPerSecond, setup.probes)
  const arrivals = await askAll<BigInt64Array>("arrivals")
  const micros = arrivals.flatMap((times) =>
    Array.from(times, (time, sequence) => Number(time - at[sequence]) / 1_000).slice(warmUp(operationsPerSecond))
  )
  expect(micros.every((time) => time > 0), "a probe arrived before it was sent")
  return {
    p50Micros: quantile(micros, 0.5),
    p99Micros: quantile(micros, 0.99),
    ...(operationsPerSecond === 0 ? {} : { writesPerSecond })
  }
}

// ---------------------------------------------------------------------------------------------------- budgets

const budget = (look: Look, figure: string, quantileName: string, timesMax: number): ReadonlyArray<Budget> => {
  const times = look("idle-to-1", "mccache", figure) / look("idle-to-1", "dgram", figure)
  if (Number.isNaN(times)) return []
  return [{
    name: `write on A → readable on B, idle, ${quantileName}`,
    bound: `≤ ${timesMax} × a bare dgram ping`,
    measured: `${times.toFixed(2)} ×`,
    met: times <= timesMax
  }]
}

export const suite: Suite = {
  name: "latency",
  title: "Write on A → readable on B",
  runs: { full: 3, quick: 1 },
  caseSecondsMax: 60,
  cases,
  run,
  budgets: (look) => [...budget(look, "p50Micros", "p50", 1.5), ...budget(look, "p99Micros", "p99", 3)]
}
