/**
 * What a cluster costs that has nothing to do: real members on loopback, after they have met and hold the same.
 *
 * `members`: 3 and 10 in a process each, 50 as 10 processes of 5; 300 entries in one namespace. `namespaces`: 3 members with
 * 1, 100 and 1,000 of them, 300 entries in all. The time to open them is that of a member that is alone, and that of one that
 * joins two others that have them; after that the first writes a key and waits for the others (`flushAfterJoin`).
 *
 * Processor time is of whole processes, Node's own timers and garbage collection included.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Cluster from "../support/JoinCluster.ts"
import * as Traffic from "../support/JoinTraffic.ts"
import { type Role, start } from "../support/Processes.ts"
import { type Case, expect, type Figures, type Suite } from "../support/Suite.ts"
import * as Table from "../support/Table.ts"

const entries = 300

interface Rest {
  readonly elapsedMillis: number
  readonly cpuMillis: number
  readonly traffic: Traffic.Traffic
}

interface Opened {
  readonly openMillis: number
  readonly namespaceBytes: number
}

const all = <A>(roles: ReadonlyArray<Role>, name: string, argument?: unknown): Promise<ReadonlyArray<A>> =>
  Promise.all(roles.map((role) => role.ask<A>(name, argument)))

/** Waits until everybody knows everybody and holds the same. */
const settle = async (roles: ReadonlyArray<Role>, members: number): Promise<void> => {
  const deadline = performance.now() + 30_000
  while (true) {
    const known = await all<number>(roles, "others")
    const checksums = (await all<ReadonlyArray<string>>(roles, "checksums")).flat()
    if (Math.min(...known) === members - 1 && new Set(checksums).size === 1) return
    expect(performance.now() < deadline, `${members} members did not become coherent within 30 s`)
    await sleep(100)
  }
}

interface Shape {
  readonly members: number
  readonly perProcess: number
  readonly namespaces: number
  readonly seconds: number
}

const rest = async ({ members, namespaces, perProcess, seconds }: Shape): Promise<Figures> => {
  const options = { ...Cluster.options(process.pid, entries), cachePulse: "5 minutes" as const }
  const roles = Array.from(
    { length: members / perProcess },
    () => start(new URL("../roles/RestMembers.ts", import.meta.url))
  )
  const opened: Array<Opened> = []
  for (const role of roles) {
    await role.ask("open", { count: perProcess, options })
    opened.push(await role.ask<Opened>("namespaces", namespaces))
    if (opened.length === 1) await role.ask("write", { entries, namespaces })
  }
  // Until the others have heard that who joined has caught up with all, they wait for it.
  const flushAfterJoinMillis = await roles[0].ask<number>("flush")
  await settle(roles, members)
  // What was built up by opening is cleaned up, and late acknowledgements are over.
  await sleep(2_000)
  const resting = await all<Rest>(roles, "rest", 1_000 * seconds)
  await settle(roles, members)
  const elapsedMillis = resting.reduce((total, { elapsedMillis }) => total + elapsedMillis, 0) / roles.length
  const traffic = Traffic.sum(resting.map(({ traffic }) => traffic))
  const perSecond = (count: number): number => 1_000 * count / elapsedMillis / members
  const figures = {
    cpuPercentPerMember: 100 * resting.reduce((total, { cpuMillis }) => total + cpuMillis, 0) / elapsedMillis / members,
    sentDatagramsPerSecond: perSecond(traffic.datagramsOut),
    receivedDatagramsPerSecond: perSecond(traffic.datagramsIn),
    sentBytesPerSecond: perSecond(traffic.bytesOut)
  }
  if (namespaces === 1) return figures
  const [alone] = opened
  return {
    ...figures,
    heartbeatBytes: traffic.bytesOut / traffic.datagramsOut,
    namespaceBytes: alone.namespaceBytes,
    openAloneMillis: alone.openMillis,
    openJoiningMillis: opened[opened.length - 1].openMillis,
    flushAfterJoinMillis
  }
}

export const suite: Suite = {
  name: "rest",
  title: "At rest: processor time and traffic of members that do nothing, per member",
  runs: { full: 2, quick: 1 },
  caseSecondsMax: 240,
  cases: (quick) => {
    const seconds = quick ? 5 : 20
    const shaped = (group: string, shape: Omit<Shape, "seconds">): Case => ({
      group,
      subject: "mccache",
      parameters: { ...shape, seconds }
    })
    const members = (count: number, perProcess: number): Case =>
      shaped(`members/${count}`, { members: count, perProcess, namespaces: 1 })
    const namespaces = (count: number): Case =>
      shaped(`namespaces/${count}`, { members: 3, perProcess: 1, namespaces: count })
    return quick
      ? [members(3, 1), namespaces(100)]
      : [members(3, 1), members(10, 1), members(50, 5), namespaces(1), namespaces(100), namespaces(1_000)]
  },
  run: ({ parameters: { members, namespaces, perProcess, seconds } }) =>
    rest({
      members: Number(members),
      namespaces: Number(namespaces),
      perProcess: Number(perProcess),
      seconds: Number(seconds)
    }),
  budgets: (look) => {
    const percent = look("members/3", "mccache", "cpuPercentPerMember")
    return Number.isNaN(percent) ? [] : [{
      name: "idle, 3 members",
      bound: "≤ 0.5 % of a core each",
      measured: `${Table.figure(percent)} %`,
      met: percent <= 0.5
    }]
  }
}
