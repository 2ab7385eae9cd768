/**
 * What it takes to have what the others have. `join`: a member holds entries, and another process opens; the time counts from
 * the call of `open` until `ready`. `repair`: two members hold the same, their network is cut until they take each other for
 * gone, one of them changes one key, and the network heals; the time counts from the heal, and apart from that from the
 * beginning of the first repair, as finding a difference takes some heartbeats.
 *
 * Both over real UDP on loopback, in mode 1. Bytes and datagrams are of all members, as sent, heartbeats among them.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { open } from "../../src/standalone.ts"
import * as Cluster from "../support/JoinCluster.ts"
import * as Traffic from "../support/JoinTraffic.ts"
import { type Role, start } from "../support/Processes.ts"
import { type Case, expect, type Figures, type Suite } from "../support/Suite.ts"
import * as Table from "../support/Table.ts"

const kibibytes = (bytes: number): number => bytes / 1_024

const join = async (entries: number): Promise<Figures> => {
  const options = Cluster.options(process.pid, entries)
  const donor = start(new URL("../roles/JoinDonor.ts", import.meta.url))
  const encodedBytes = await donor.ask<number>("open", { entries, options })
  const before = await donor.ask<Traffic.Traffic>("traffic")
  const donorCpuMillis = await donor.ask<number>("cpuMillis")
  const cpu = process.cpuUsage()
  const began = performance.now()
  const joiner = await open(options, { env: {} })
  const cache = joiner.cache<string>("n")
  await joiner.ready()
  const readyMillis = performance.now() - began
  const { system, user } = process.cpuUsage(cpu)
  const traffic = Traffic.sum([
    Traffic.read(joiner.localMetrics()),
    Traffic.since(before, await donor.ask<Traffic.Traffic>("traffic"))
  ])
  const figures = {
    readyMillis,
    readyMicrosPerEntry: 1_000 * readyMillis / entries,
    joinerCpuMillis: (user + system) / 1_000,
    donorCpuMillis: await donor.ask<number>("cpuMillis") - donorCpuMillis,
    sentDatagrams: traffic.datagramsOut,
    sentKiB: kibibytes(traffic.bytesOut),
    sentBytesPerEncodedByte: traffic.bytesOut / encodedBytes,
    overflowedDatagrams: traffic.receiveOverflow
  }
  expect(cache.size === entries, `the joiner has ${cache.size} of ${entries} entries`)
  for (const index of [0, entries >> 1, entries - 1]) {
    expect(cache.get(Cluster.keyOf(index)) === Cluster.valueOf(index), `the value of ${Cluster.keyOf(index)}`)
  }
  const checksum = await donor.ask<string>("checksum")
  expect(joiner.localChecksum("n") === checksum, "the joiner's checksum is another")
  return figures
}

/** Short, so that members whose network is cut take each other for gone soon. */
const suspectMillis = 2_000
const removeMillis = 3_000

interface Takes {
  readonly begun: ReadonlyArray<number>
  readonly done: ReadonlyArray<number>
}

const both = <A>(members: ReadonlyArray<Role>, name: string, argument?: unknown): Promise<ReadonlyArray<A>> =>
  Promise.all(members.map((member) => member.ask<A>(name, argument)))

const repair = async (entries: number): Promise<Figures> => {
  const port = 20_000 + process.pid % 10_000
  const options = { ...Cluster.options(process.pid, entries), protocol: { suspectMillis, removeMillis } }
  const members = [1, 2].map(() => start(new URL("../roles/JoinCuttable.ts", import.meta.url)))
  const [writer, other] = members
  await writer.ask("open", { entries, options, port })
  await other.ask("open", { entries: 0, options, port })
  const [first, second] = await both<string>(members, "checksum")
  expect(first === second, "the members differ before anything happened")
  await both(members, "cut", true)
  await both(members, "alone")
  const change = { key: Cluster.keyOf(entries >> 1), value: "changed while the network was cut" }
  await writer.ask("set", change)
  // Longer than a replica takes to count as quiet, as in any cut that lasts.
  await sleep(500)
  const before = await both<Traffic.Traffic>(members, "traffic")
  const [healed] = await both<number>(members, "cut", false)
  const changed = await other.ask<number>("has", change)
  const takes = await both<Takes>(members, "takes")
  const traffic = Traffic.sum(
    (await both<Traffic.Traffic>(members, "traffic")).map((after, index) => Traffic.since(before[index], after))
  )
  const [one, another] = await both<string>(members, "checksum")
  expect(one === another, "the members differ after the repair")
  const begun = Math.min(...takes.flatMap((of) => of.begun))
  return {
    healedMillis: changed - healed,
    repairMillis: Math.max(...takes.flatMap(({ done }) => done)) - begun,
    repairs: takes.reduce((total, of) => total + of.begun.length, 0),
    sentDatagrams: traffic.datagramsOut,
    sentKiB: kibibytes(traffic.bytesOut)
  }
}

const works = { join, repair }

const caseOf = (work: keyof typeof works) => (entries: number): Case => ({
  group: `${work}/${entries}`,
  subject: "mccache",
  parameters: { work, entries }
})

export const suite: Suite = {
  name: "join",
  title: "Join and repair: until `ready`, and until a difference is gone; entries of 100 bytes, real UDP on loopback",
  caseSecondsMax: 240,
  cases: (quick) => [
    ...(quick ? [1_000, 100_000] : [1_000, 100_000, 1_000_000]).map(caseOf("join")),
    ...(quick ? [100_000] : [1_000, 100_000, 1_000_000]).map(caseOf("repair"))
  ],
  run: ({ parameters: { entries, work } }) => works[work === "join" ? "join" : "repair"](Number(entries)),
  budgets: (look) => {
    const millis = look("join/100000", "mccache", "readyMillis")
    return Number.isNaN(millis) ? [] : [{
      name: "join, 100,000 small entries",
      bound: "≤ 2 s until `ready`",
      measured: `${Table.figure(millis / 1_000)} s`,
      met: millis <= 2_000
    }]
  }
}
