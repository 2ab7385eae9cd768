/** Outcomes of stress tests that never ran. */
import type { MemberReport } from "../../../../src/runtime/stress/Conversation.ts"
import type { Outcome } from "../../../../src/runtime/stress/Outcome.ts"

export const report = (member: number): MemberReport => ({
  member,
  pid: 100 + member,
  id: `${member}`.padStart(32, "0"),
  entries: 170,
  operations: 1_000 * member,
  snoozeMillis: 10.5,
  spikeHits: 400,
  spikeIntervalMillis: 3.25,
  inQueue: { average: 1, max: 2 + member },
  outQueue: { average: 0.5, max: 10 * member },
  lookups: 550,
  misses: 50,
  inserts: 100,
  updates: 300,
  deletes: 50,
  evicts: 0,
  collisions: 1,
  datagramsIn: 900,
  datagramsOut: 400,
  lost: 7,
  repaired: 9,
  abandoned: 0,
  receiveOverflow: 0,
  repairRounds: 0,
  restarts: 0,
  propagationP50Millis: 1.2,
  propagationP99Millis: 30,
  cpuPercent: 12,
  residentBytes: 150 * 1_048_576,
  damagedReads: 0,
  staleReads: 0
})

const sample = (operations: number) => ({
  operations,
  entries: 170,
  outbox: 3,
  lost: 1,
  repaired: 2,
  cpuMillis: operations / 10,
  residentBytes: 150 * 1_048_576
})

export const passed: Outcome = {
  result: "pass",
  problems: [],
  plan: {
    members: 2,
    keys: 200,
    apertureMillis: 10,
    durationMillis: 1_000,
    sizes: "small",
    seed: 1,
    tantrumPercent: 0,
    mode: 1,
    cacheMax: 256,
    cacheSizeBytes: 8_388_608,
    namespaces: false
  },
  machine: { cores: 2, processor: "a <fast> one", platform: "linux 6", node: "v24", version: "0.1.0" },
  startedAt: "2026-01-01T00:00:00.000Z",
  ranMillis: 1_000,
  drainMillis: 12.4,
  keys: 170,
  forgotten: 0,
  differences: [],
  members: [report(1), report(2)],
  moments: [
    { millis: 500, members: [sample(100), sample(200)] },
    { millis: 1_000, members: [sample(200), undefined] }
  ]
}

export const failed: Outcome = {
  ...passed,
  result: "fail",
  problems: ["members differ in 1 of 170 keys"],
  drainMillis: null,
  differences: [{ key: "<b>&\"key\"", kind: "missing", how: "member 1: 0.1; member 2: nothing" }]
}
