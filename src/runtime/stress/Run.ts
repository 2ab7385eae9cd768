/**
 * A stress test from its start to its outcome: processes are forked and opened, change the cache for the time of the plan, stop,
 * are waited for until all hold the same, and are compared key by key.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { availableParallelism, cpus, release } from "node:os"
import { version } from "../../services/Member.ts"
import { Listing, Look, MemberReport, Sample } from "./Conversation.ts"
import { askAll, closeAll, type Player, startAll, type StressError, tellAll } from "./Crew.ts"
import * as Lan from "./Lan.ts"
import type { Moment, Outcome } from "./Outcome.ts"
import { type Plan, workloadOf } from "./Plan.ts"
import * as Verdict from "./Verdict.ts"

/** Whom the run tells how far it is. */
export interface Audience {
  readonly started: (pids: ReadonlyArray<number>) => Effect.Effect<void>
  readonly moment: (moment: Moment) => Effect.Effect<void>
  readonly phase: (text: string) => Effect.Effect<void>
}

const sampleMillis = 500
/** Of a long run fewer moments are kept than are told: no plot shows more. */
const momentsMax = 2_000
/** Well above what the design allows, four heartbeats, and what a busy machine makes of it. */
const drainMillisMax = 30_000
const lookMillis = 10

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Samples until it is interrupted. */
const watch = Effect.fnUntraced(function*(
  players: ReadonlyArray<Player>,
  began: number,
  moments: Array<Moment>,
  durationMillis: number,
  audience: Audience
) {
  const apartMillis = durationMillis / momentsMax
  while (true) {
    yield* Effect.sleep(sampleMillis)
    const members = yield* Effect.forEach(
      players,
      (player) => Effect.map(Effect.option(player.ask({ _tag: "Sample" }, Sample)), Option.getOrUndefined),
      { concurrency: "unbounded" }
    )
    const moment: Moment = { millis: (yield* monotonicMillis) - began, members }
    if (moment.millis - (moments.at(-1)?.millis ?? -Infinity) >= apartMillis) moments.push(moment)
    yield* audience.moment(moment)
  }
})

interface Drained {
  readonly millis: number | undefined
  readonly comparison: Verdict.Comparison
}

/** Waits until nothing is on its way any more and all hold the same, or gives up; compares either way. */
const drain = Effect.fnUntraced(function*(
  players: ReadonlyArray<Player>,
  mode: Plan["mode"]
): Effect.fn.Return<Drained, StressError> {
  const began = yield* monotonicMillis
  while (true) {
    const looks = yield* askAll(players, { _tag: "Look" }, Look)
    const lookedAt = (yield* monotonicMillis) - began
    // In modes 0 and 2 members need not hold the same, so that only keys can be compared.
    const same = looks.every(({ checksum, outbox }) => outbox === 0 && (mode !== 1 || checksum === looks[0].checksum))
    const late = lookedAt > drainMillisMax
    if (same || late) {
      const listings = yield* askAll(players, { _tag: "List" }, Listing)
      const witnesses = players.map(({ index }, at) => ({ member: index + 1, listing: listings[at] }))
      const comparison = Verdict.compare(witnesses, mode)
      const equal = comparison.differences.length === 0
      if (late || equal) return { millis: same && equal ? lookedAt : undefined, comparison }
    }
    yield* Effect.sleep(lookMillis)
  }
})

/** Succeeds when the first of them has ended. */
const firstDeath = (players: ReadonlyArray<Player>): Effect.Effect<void> =>
  Effect.asVoid(Effect.raceAll(players.map(({ ended }) => ended)))

/** Lets one begin. Whose process ended before it could is found dead afterwards. */
const work = (player: Player): Effect.Effect<void, StressError> =>
  Effect.catchIf(player.tell({ _tag: "Work" }), () => player.fate() !== undefined, () => Effect.void)

/** Stops them, waits until all hold the same, and hears what they did. Who dies meanwhile is left out, and it begins again. */
const conclude = Effect.fnUntraced(function*(
  players: ReadonlyArray<Player>,
  mode: Plan["mode"],
  audience: Audience
): Effect.fn.Return<Drained & { readonly reports: ReadonlyArray<MemberReport> }, StressError> {
  while (true) {
    const alive = players.filter(({ fate }) => fate() === undefined)
    const concluded = yield* Effect.result(Effect.gen(function*() {
      yield* tellAll(alive, { _tag: "Rest" })
      yield* audience.phase("waiting until all hold the same")
      const drained = yield* drain(alive, mode)
      return { ...drained, reports: yield* askAll(alive, { _tag: "Report" }, MemberReport) }
    }))
    if (Result.isSuccess(concluded)) return concluded.success
    if (alive.every(({ fate }) => fate() === undefined)) return yield* concluded.failure
  }
})

export const run = Effect.fnUntraced(function*(
  plan: Plan,
  pid: number,
  audience: Audience
): Effect.fn.Return<Outcome, StressError, Scope.Scope> {
  const startedAt = DateTime.formatIso(yield* DateTime.now)
  const hosts = plan.namespaces ? yield* Lan.make(plan.members, pid) : []
  yield* audience.phase(`starting ${plan.members} members`)
  const players = yield* startAll(Array.from({ length: plan.members }, (_, member) => ({
    opening: { ...plan.opening, interface: hosts[member]?.address ?? plan.loopback },
    workload: workloadOf(plan, member),
    enter: hosts[member]?.enter ?? []
  })))
  yield* audience.started(players.map((player) => player.pid))

  const moments: Array<Moment> = []
  yield* Effect.forEach(players, work, { concurrency: "unbounded", discard: true })
  const began = yield* monotonicMillis
  yield* Effect.sleep(plan.durationMillis).pipe(
    Effect.raceFirst(firstDeath(players)),
    Effect.raceFirst(watch(players, began, moments, plan.durationMillis, audience))
  )
  const ranMillis = (yield* monotonicMillis) - began

  const { comparison, millis, reports } = yield* conclude(players, plan.mode, audience)
  const deaths = players.flatMap(({ fate, index, pid }) => {
    const how = fate()
    return how === undefined ? [] : [`member ${index + 1} (process ${pid}) ended with ${how} during the run`]
  })
  yield* closeAll(players)

  const problems = Verdict.problems({ comparison, drainMillis: millis, drainMillisMax, deaths, reports })
  const { loopback: _, opening: __, ...shown } = plan
  return {
    result: problems.length === 0 ? "pass" : "fail",
    problems,
    plan: shown,
    machine: {
      cores: availableParallelism(),
      processor: cpus()[0]?.model.trim() ?? "unknown",
      platform: `${process.platform} ${release()}`,
      node: process.version,
      version
    },
    startedAt,
    ranMillis,
    drainMillis: millis ?? null,
    keys: comparison.keys,
    forgotten: comparison.forgotten,
    differences: comparison.differences,
    members: reports,
    moments
  }
})
