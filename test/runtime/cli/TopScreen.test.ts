import { assert, describe, it } from "@effect/vitest"
import * as CliOutput from "effect/cli/CliOutput"
import * as FullScreen from "../../../src/runtime/cli/FullScreen.ts"
import { press } from "../../../src/runtime/cli/Top.ts"
import * as TopFigures from "../../../src/runtime/cli/TopFigures.ts"
import * as TopScreen from "../../../src/runtime/cli/TopScreen.ts"
import * as Counters from "../../../src/services/Counters.ts"
import type { MemberInfo } from "../../../src/services/Gather.ts"
import type { MemberMetrics } from "../../../src/services/Reports.ts"

interface Activity {
  readonly out?: number
  readonly in?: number
  readonly lookups?: number
  readonly misses?: number
  readonly entries?: number
  readonly lost?: number
  readonly p99?: number
  readonly cpuMillis?: number
  readonly namespaces?: ReadonlyArray<string>
}

const namespace = ({ entries = 0, in: received = 0, lookups = 0, misses = 0, out = 0 }: Activity) => ({
  count: entries,
  size: entries * 100,
  lookups,
  misses,
  inserts: out + received,
  updates: 0,
  deletes: 0,
  evicts: 0,
  expired: 0,
  collisions: 0,
  incoherent: 0,
  spikes: 0,
  spikeInterval: 0,
  tombstones: 0,
  outbox: 0,
  caughtUp: true
})

const metrics = (member: string, did: Activity): MemberMetrics => {
  const counters = Counters.make()
  return {
    member,
    label: `host:${member}`,
    namespaces: Object.fromEntries((did.namespaces ?? ["users"]).map((name) => [name, namespace(did)])),
    members: [],
    options: {},
    process: { load: 0, cpuMillis: did.cpuMillis ?? 0, residentBytes: 100 * 1_048_576, heapBytes: 0 },
    queues: {},
    restarts: {},
    operations: { in: { PUT: did.in ?? 0, PULSE: 99 }, out: { PUT: did.out ?? 0, ACK: 99 } },
    network: {
      datagramsIn: 0,
      datagramsOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      lost: did.lost ?? 0,
      repaired: 0,
      abandoned: 0,
      duplicates: 0,
      receiveOverflow: 0,
      sendFailures: 0,
      lagDatagrams: 0,
      windowDatagrams: 0,
      creditDatagrams: 0,
      retainedBytes: 0,
      reassemblyBytes: 0,
      strangers: 0,
      parkedDatagrams: 0
    },
    refused: counters.refused,
    openedByKey: {},
    coherence: {
      collisions: 0,
      repairRounds: 0,
      repairedRecords: 0,
      joins: 0,
      outboxOverflows: 0,
      callbackFailures: 0,
      undecodable: 0,
      changesDropped: 0,
      members: 0,
      clockCorrectionMillis: 0
    },
    propagation: { count: did.in ?? 0, p50: 0.4, p99: did.p99 ?? 1.5 }
  }
}

const info = (id: string, state: MemberInfo["state"] = "ready", label = `host:${id}`): MemberInfo => ({
  id,
  label,
  thread: 0,
  differences: [],
  host: "host",
  pid: Number(id) || 0,
  address: "127.0.0.1:4321",
  version: "0.1.0",
  state,
  lag: 0,
  clockSkewMillis: 0
})

/** A sample of the members that answered, with the observer and those that did not. */
const sample = (
  second: number,
  answers: Readonly<Record<string, Activity>>,
  silent: ReadonlyArray<string> = []
): TopFigures.Sample => ({
  atMillis: Date.UTC(2026, 0, 2, 3, 4, 5 + second),
  members: [info("me", "self"), ...Object.keys(answers).map((id) => info(id)), ...silent.map((id) => info(id))],
  metrics: {
    answers: Object.entries({ ...answers, me: {} }).map(([id, did]) => ({
      member: id,
      label: `host:${id}`,
      answer: metrics(id, did)
    })),
    missing: silent.map((id) => `host:${id}`)
  },
  told: Object.entries(answers).flatMap(([member, { namespaces = ["users"] }]) =>
    namespaces.map((name) => ({
      member,
      name,
      fingerprint: "mode=1 collision=tie eviction=updated",
      sizing: "max=256 size=1024 ttlMillis=0",
      caughtUp: true,
      quantum: 7,
      count: 2,
      hash: "x"
    }))
  )
})

const figures = (...samples: ReadonlyArray<TopFigures.Sample>): ReadonlyArray<TopFigures.Figures> => {
  let seen: TopFigures.Seen | undefined
  return samples.map((each) => {
    seen = TopFigures.see(seen, each)
    return seen.figures
  })
}

const view: TopScreen.View = {
  width: 80,
  height: 24,
  sort: "member",
  reverse: false,
  scroll: 0,
  where: "shop 224.0.0.3:4000",
  keys: true
}

const texts = (past: ReadonlyArray<TopFigures.Figures>, change: Partial<TopScreen.View> = {}): ReadonlyArray<string> =>
  TopScreen.lines(past, { ...view, ...change }).map((line) => FullScreen.paint(line, false))

const two = figures(
  sample(0, { 1: { entries: 10, out: 100, lookups: 1_000, misses: 500 }, 2: { entries: 10, in: 100 } }),
  sample(2, {
    1: { entries: 12, out: 300, lookups: 3_000, misses: 600, cpuMillis: 500 },
    2: { entries: 11, in: 296, lost: 4, p99: 12 }
  })
)

describe("the figures of top", () => {
  it("are what grew between two samples, a second, without the observer", () => {
    const { members, namespaces, totals } = two[1]
    assert.deepStrictEqual(members.map(({ label }) => label), ["host:1", "host:2"])
    assert.strictEqual(members[0].outPerSecond, 100)
    assert.strictEqual(members[0].hitShare, 0.95)
    assert.strictEqual(members[0].processorShare, 0.25)
    assert.strictEqual(members[1].inPerSecond, 98)
    assert.strictEqual(members[1].hitShare, undefined)
    assert.strictEqual(totals.lostPerSecond, 2)
    assert.strictEqual(totals.propagationMillisP99, 12)
    assert.deepStrictEqual(namespaces.map(({ entriesMax, entriesMin, members }) => [members, entriesMin, entriesMax]), [
      [2, 11, 12]
    ])
    assert.strictEqual(namespaces[0].changesPerSecond, 198)
    assert.strictEqual(namespaces[0].copies.type, "equal")
  })

  it("of the first sample have no rates", () => {
    assert.notProperty(two[0].totals, "outPerSecond")
    assert.notProperty(two[0].members[0], "inPerSecond")
    assert.strictEqual(two[0].members[0].entries, 10)
  })

  it("of a member that comes, goes or is silent are not made up", () => {
    const [, second, third] = figures(
      sample(0, { 1: { out: 1_000 } }),
      sample(1, { 1: { out: 1_010 }, 3: { out: 5_000, entries: 4 } }),
      sample(2, { 3: { out: 5_007, entries: 5 } }, ["4"])
    )
    assert.strictEqual(second.totals.outPerSecond, 10)
    assert.deepStrictEqual(third.members.map(({ label, state }) => [label, state]), [["host:3", "ready"], [
      "host:4",
      "silent"
    ]])
    assert.strictEqual(third.totals.outPerSecond, 7)
    assert.strictEqual(third.totals.answered, 1)
    assert.notProperty(third.members[1], "entries")
  })
})

describe("the screen of top", () => {
  it("says at 80 columns what matters", () => {
    assert.deepStrictEqual(texts(two).map((line) => line.trimEnd()), [
      "McCache shop 224.0.0.3:4000                              2 members  03:04:07 UTC",
      "writes out/s    100  █                   writes in/s     98  █",
      "lookups/s      1.0k  █                   hits, %       95.0  █",
      "lost/s          2.0  █                   p99, ms         12 ▂█",
      "lost 4  repaired 0  given up 0  lag 0  p50 0.4 ms",
      "",
      "NAMESPACE        MEMBERS     ENTRIES   SIZE LOOKUP/S HIT % CHANGE/S COPIES",
      "users                  2       11-12   1.2K     1.0k  95.0      198 equal",
      "",
      "MEMBER             STATE   ENTRIES OUT/S  IN/S HIT %   LAG  LOST FIXED  P50  P99",
      "host:1             ready        12   100     0  95.0     0     0     0    -    -",
      "host:2             ready        11     0    98     -     0     4     0  0.4   12",
      "q quit r reverse  m[member] e entries o out i in h hit l lag x lost d p99 c cpu"
    ])
  })

  it("is never wider or higher than the terminal, and shows more where there is more", () => {
    const past = figures(sample(0, { 1: { namespaces: ["users", "日本".repeat(30), "\x1b[2Jx"] }, 2: {} }))
    for (let width = 1; width <= 220; width += 3) {
      for (const height of [1, 2, 5, 9, 14, 40]) {
        const lines = texts(past, { width, height })
        assert.isAtMost(lines.length, height)
        for (const line of lines) {
          assert.isAtMost(CliOutput.displayWidth(line), width)
          assert.notInclude(line, "\x1b")
        }
      }
    }
    assert.notInclude(texts(two, { width: 80 }).join("\n"), "ADDRESS")
    assert.include(texts(two, { width: 200 }).join("\n"), "ADDRESS")
  })

  it("sorts by the figure, and back, and keeps those without it at one end", () => {
    const order = (change: Partial<TopScreen.View>) =>
      texts(two, change).filter((line) => line.startsWith("host:")).map((line) => line.slice(0, 6))
    assert.deepStrictEqual(order({}), ["host:1", "host:2"])
    assert.deepStrictEqual(order({ reverse: true }), ["host:2", "host:1"])
    assert.deepStrictEqual(order({ sort: "in" }), ["host:2", "host:1"])
    assert.deepStrictEqual(order({ sort: "out" }), ["host:1", "host:2"])
    assert.deepStrictEqual(order({ sort: "hit" }), ["host:1", "host:2"])
  })

  it("scrolls to the last member where not all find room, and says how many there are more", () => {
    const many = figures(sample(0, Object.fromEntries(Array.from({ length: 30 }, (_, at) => [String(10 + at), {}]))))
    const top = texts(many)
    assert.include(top.at(-2), "more")
    const scrollMax = TopScreen.scrollMax(many[0], view)
    const end = texts(many, { scroll: scrollMax })
    assert.include(end.at(-3), "host:39")
    assert.match(end.at(-2) ?? "", new RegExp(`^… ${scrollMax} above, 0 below`))
    assert.deepStrictEqual(texts(many, { scroll: 999 }), end)
    assert.notInclude(texts(many, { height: Infinity }).join("\n"), "…  ")
    assert.lengthOf(texts(many, { height: Infinity }).filter((line) => line.startsWith("host:")), 30)
  })

  it("says so when nobody is there, and where to look", () => {
    const text = texts(figures(sample(0, {}))).join("\n")
    assert.include(text, "No other member was heard")
    assert.include(text, "mccache doctor")
  })

  it("shows a message in place of the keys", () => {
    const last = texts(two, { message: "a\x1b[31m warning" }).at(-1)
    assert.strictEqual(last, "a�[31m warning")
  })
})

describe("a key", () => {
  const choice = { sort: "member", reverse: false, scroll: 3 } as const

  it("chooses the order, turns it around, and scrolls within what there is", () => {
    assert.deepStrictEqual(press(choice, "o", 9), { sort: "out", reverse: false, scroll: 0 })
    assert.deepStrictEqual(press(choice, "r", 9), { ...choice, reverse: true })
    assert.strictEqual(press(choice, "up", 9).scroll, 2)
    assert.strictEqual(press(choice, "pagedown", 9).scroll, 9)
    assert.strictEqual(press(choice, "end", 9).scroll, 9)
    assert.strictEqual(press(choice, "home", 9).scroll, 0)
    // The terminal became higher.
    assert.strictEqual(press(choice, "up", 1).scroll, 0)
    assert.strictEqual(press(choice, "z", 9), choice)
  })
})
