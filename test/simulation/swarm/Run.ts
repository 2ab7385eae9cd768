/**
 * Runs a plan: a safety phase in which the checkers look all along, then everything heals, and the members must come
 * together within a bounded time. Under a `TestClock`.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Digests from "../../../src/domain/Digest.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import * as MemoryNetwork from "../../../src/runtime/MemoryNetwork.ts"
import * as NetworkFaults from "../../../src/runtime/NetworkFaults.ts"
import * as Checkers from "../../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"
import * as History from "../../../src/runtime/testing/History.ts"
import type { Cache } from "../../../src/services/Cache.ts"
import { StandaloneCache } from "../../../src/standalone.ts"
import * as Checks from "./Checks.ts"
import * as Fills from "./Fills.ts"
import type { Action, Key, Plan } from "./Plan.ts"
import * as Plans from "./Plan.ts"

export interface Result {
  readonly trace: string
  readonly members: number
  readonly datagrams: number
  readonly writes: number
  readonly flushes: number
  /** From when everything healed until all members held the same. */
  readonly settledMillis: number
}

interface Value {
  readonly key: Key
  readonly text: string
}

interface Member {
  readonly node: Cluster.Node
  readonly cache: Cache<Value>
  readonly facade: StandaloneCache<Value> | undefined
}

const { namespace } = Checks
/** Where the run's time begins. */
const startMillis = Date.UTC(2026, 0, 1)
const lookEveryMillis = 250
const replayableMax = 4_096

/** Heartbeats after which all must be settled: those of the invariant, and what a stranger needs to be met again. */
const settleHeartbeatsMax = 40

/**
 * How long clocks that jumped hold up what they refuse: the eight samples from before have to go before a clock is corrected, and
 * time, by which expiry is judged, does not run back, so that a member that was ahead by up to 5 s waits for the others. Until
 * then it does not speak of the same time as they do, and no repair can be concluded.
 */
const clocksMillis = ({ heartbeatMillis, jumping }: Plan): number => jumping ? 8 * (500 + heartbeatMillis) + 5_000 : 0

/** Runs it. Fails by throwing `Violation`. `log` is told every step, and every fold. */
export const run = (plan: Plan, log?: (line: string) => void) => {
  // A fiber of a member that throws is restarted: nothing else would tell.
  const failures: Array<string> = []
  const recorder = Logger.make(({ cause, logLevel, message }) => {
    if (logLevel === "Error" && String(message).includes("failed and is restarted")) {
      failures.push(`${String(message)}: ${Cause.pretty(cause)}`)
    }
  })
  return runIn(plan, failures, log).pipe(Effect.provide(Logger.layer([recorder])))
}

const runIn = Effect.fnUntraced(function*(
  plan: Plan,
  failures: ReadonlyArray<string>,
  log?: (line: string) => void
) {
  yield* TestClock.setTime(startMillis)
  const cluster = yield* Cluster.make({ seed: plan.seed, options: plan.options })
  const observer = Checkers.observe(cluster, namespace, { closed: true })
  const { history } = observer
  const members = new Map<string, Member>()
  const sent: Array<MemoryNetwork.Sent> = []
  const fills: Array<{ readonly dueMillis: number; readonly done: () => void }> = []
  let now = 0
  let writes = 0
  let flushes = 0
  let violation: unknown
  const unheardOf = plan.gentle
    ? Checks.watchUnheard(cluster, plan.options.protocol?.challengeIntervalMillis ?? 1_000)
    : undefined
  const meetings = Checks.watchMeetings(cluster, 12 * (plan.options.protocol?.challengeIntervalMillis ?? 1_000))

  if (plan.steps.some(({ action: { _tag } }) => _tag === "Replay" || _tag === "ReplayAll")) {
    cluster.hub.tap((datagram) => {
      if (sent.length >= replayableMax) sent.shift()
      sent.push(datagram)
    })
  }
  const clock = yield* Clock.Clock
  const watched = Fills.watch(cluster, plan, () => clock.currentTimeMillisUnsafe(), (found) => {
    violation ??= found
  })
  if (plan.clearsInTakes) yield* clearInTakes(cluster, plan.seed)
  if (log !== undefined) cluster.witness(logger(cluster, () => now, log))

  // What a waiting fiber finds is thrown on the next look.
  const guard = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      violation ??= error
    }
  }
  const look = (): void => {
    Checkers.look(observer)
    meetings.look(now)
    if (violation !== undefined) throw violation
    if (failures.length > 0) throw new Checkers.Violation(10, failures[0])
  }

  const value = (key: Key, bytes: number): Value => ({ key, text: String(++writes).padEnd(bytes, ".") })
  const listeners = listen(plan, value, guard)
  const genuine = (member: string, key: Key, read: Value | undefined): void => {
    if (read !== undefined && read.key !== key) {
      throw new Checkers.Violation(
        4,
        `${member} reads a value of ${JSON.stringify(read.key)} for ${JSON.stringify(key)}`
      )
    }
  }

  const flush = (node: Cluster.Node) =>
    Effect.suspend(() => {
      const barrier = History.barrier(history, cluster, node)
      return node.mccache.flush({ timeout: 3 }).pipe(
        Effect.map(({ left }) => {
          flushes++
          if (barrier !== undefined) guard(() => History.passed(history, cluster, barrier, left))
        }),
        Effect.ignore
      )
    })

  /** Those that were ready: what they say of themselves is not asked, nor what somebody knows who is about to be judged. */
  const readied = new Set<Cluster.Node>()
  const ready = (node: Cluster.Node) =>
    Effect.suspend(() => {
      const known = plan.connected && plan.alike && plan.mode === 1
        ? Checks.knownToAll(cluster.nodes().filter((other) => readied.has(other)))
        : new Map<Key, Stamp.Stamp>()
      return Effect.map(node.mccache.ready, () =>
        guard(() => {
          Checks.knows(node, known)
          readied.add(node)
        }))
    }).pipe(Effect.ignore)

  const fill = ({ cache, facade, node }: Member, { key, millis, ttl }: Extract<Action, { readonly _tag: "Fill" }>) => {
    const options = ttl === undefined ? {} : { ttl }
    const computed = Deferred.makeUnsafe<Value>()
    const compute = Effect.suspend(() => {
      watched.begin(node.member.id, key)
      fills.push({
        dueMillis: now + millis,
        done: () => void Deferred.doneUnsafe(computed, Effect.succeed(value(key, 20)))
      })
      return Deferred.await(computed)
    })
    const filled = facade === undefined
      ? cache.getOrSet(key, compute, options)
      : Effect.promise(() => facade.getOrSet(key, () => Effect.runPromise(compute), options))
    return Effect.forkScoped(Effect.ignore(Effect.map(filled, (read) => guard(() => genuine(node.name, key, read)))))
  }

  const act = Effect.fnUntraced(function*(action: Action): Effect.fn.Return<void, never, Scope.Scope> {
    switch (action._tag) {
      case "Join": {
        if (members.has(action.member)) return
        const node = yield* Effect.orDie(cluster.join(action.member, action.options))
        const cache = yield* Effect.orDie(node.mccache.cache<Value>(namespace))
        const facade = action.facade ? new StandaloneCache(node.member.cache<Value>(namespace), node.member) : undefined
        members.set(action.member, { node, cache, facade })
        if (plan.listens) listeners.add(new StandaloneCache(node.member.cache<Value>(namespace), node.member), node)
        yield* Effect.forkScoped(ready(node))
        return
      }
      case "Heal":
        return cluster.heal()
      case "Faults":
        return cluster.faults(action.faults)
      case "Partition":
        return cluster.partition(action.groups)
      case "Block":
        return cluster.hub.block(action.from, action.to)
    }
    const member = members.get(action.member)
    if (member === undefined) return
    const { cache, facade, node } = member
    switch (action._tag) {
      case "Kill":
      case "Leave": {
        members.delete(action.member)
        meetings.gone(node.member.id, now)
        return yield* action._tag === "Kill" ? cluster.kill(action.member) : leave(action.member)
      }
      case "Pause":
        meetings.unjudged(node.member.id)
        return cluster.pause(action.member)
      case "Resume":
        return cluster.resume(action.member)
      case "LoseSockets":
        return cluster.hub.fail(action.member)
      case "StartAnew":
        return yield* Effect.ignore(node.mccache.clear({ name: namespace, node: node.member.id }))
      case "Skew":
        return node.skew(action.millis)
      case "KillFiber": {
        const fibers = [...node.member.fibers().keys()]
        return yield* cluster.killFiber(action.member, fibers[action.fiber % fibers.length])
      }
      case "Replay": {
        const datagram = sent[sent.length - 1 - action.ago]
        if (datagram !== undefined) yield* cluster.hub.inject(action.member, datagram.payload, "replayer")
        return
      }
      case "ReplayAll": {
        for (const { from, payload, to } of sent.slice()) {
          if (to === MemoryNetwork.everyone || to === action.member) {
            yield* cluster.hub.inject(action.member, payload, from)
          }
        }
        return
      }
      case "Flush":
        return void (yield* Effect.forkScoped(flush(node)))
      case "Fill":
        return void (yield* fill(member, action))
      case "ClearAll": {
        yield* Effect.ignore(node.mccache.clear())
        return Checks.writtenThrough(node, action)
      }
    }
    if (action._tag === "Set" && action.ack !== undefined) {
      const options = { ack: action.ack, timeout: 2, ...(action.ttl === undefined ? {} : { ttl: action.ttl }) }
      // It is written at once, so that what is noted then is what an "all" is about.
      let barrier: History.Barrier | undefined
      const acknowledged = Effect.sync(() => {
        if (barrier === undefined || action.ack !== "all") return
        const noted = barrier
        guard(() => History.passed(history, cluster, noted, []))
      })
      const writing = cache.set(action.key, value(action.key, action.bytes), options)
      yield* Effect.forkScoped(Effect.ignore(Effect.andThen(writing, acknowledged)), { startImmediately: true })
      barrier = History.barrier(history, cluster, node)
      return
    }
    const core = facade ?? node.member.cache<Value>(namespace)
    const before = listeners.writes()
    const written = action._tag === "Set" ? value(action.key, action.bytes) : undefined
    Checkers.isolated(node, () => {
      switch (action._tag) {
        case "Set":
          return written && core.set(action.key, written, action.ttl === undefined ? {} : { ttl: action.ttl })
        case "Delete":
          return core.delete(action.key)
        case "Clear":
          return core.clear()
        case "Get":
          return genuine(node.name, action.key, core.get(action.key))
        case "Burst":
          for (let index = 0; index < action.count; index++) {
            const key = `k${index % action.keys}`
            core.set(key, value(key, index % 50))
          }
      }
    })
    if (listeners.writes() > before) throw new Checkers.Violation(10, "a listener ran inside a local call")
    // By a clock that was set back, what is to expire may be expired already.
    const ttlMillis = node.member.namespaces().get(namespace)?.ttlMillis
    const expires = ttlMillis !== 0 || (action._tag === "Set" && action.ttl !== undefined)
    if (!plan.agreeing && expires) return
    Checks.writtenThrough(node, action)
    if (written !== undefined && core.peek(written.key)?.text !== written.text) {
      throw new Checkers.Violation(10, `${node.name} does not read what it wrote for ${JSON.stringify(written.key)}`)
    }
  })

  const leave = Effect.fnUntraced(function*(name: string) {
    const before = yield* Clock.currentTimeMillis
    yield* cluster.leave(name)
    now += (yield* Clock.currentTimeMillis) - before
  })

  const advanceTo = Effect.fnUntraced(function*(millis: number) {
    while (now < millis) {
      fills.sort((a, b) => a.dueMillis - b.dueMillis)
      while (fills.length > 0 && fills[0].dueMillis <= now) fills.shift()?.done()
      const next = Math.min(millis, fills[0]?.dueMillis ?? Infinity, now - now % lookEveryMillis + lookEveryMillis)
      yield* cluster.advance(next - now)
      now = next
      unheardOf?.look(now)
      if (now % lookEveryMillis === 0) look()
    }
  })

  for (const step of plan.steps) {
    yield* advanceTo(step.atMillis)
    log?.(Plans.show(step))
    yield* act(step.action)
  }
  yield* advanceTo(plan.millis)

  // Everything heals, but the clocks stay as they are.
  log?.(`${(now / 1_000).toFixed(3).padStart(8)} s  everything heals`)
  listeners.stop()
  cluster.heal()
  cluster.faults({ delay: { minMillis: 0.5, maxMillis: 2 } })
  for (const name of members.keys()) cluster.resume(name)
  const healedAt = now
  const comesTogether = plan.mode === 1 && plan.alike
  const converged = (marginMillis?: number): void => {
    if (comesTogether) Checkers.convergence(observer, marginMillis)
    if (plan.alike) Checkers.newest(observer, plan.roomy, marginMillis)
  }
  const done = (): boolean => {
    if (fills.length > 0) return false
    try {
      // Nothing may be excused: what is about to expire hides a newer write that did not come yet, until it has expired.
      converged(0)
      return true
    } catch {
      return false
    }
  }
  // Without digests nothing but the checks after a death brings others up to date: those have to be removed first.
  const least = plan.mode === 1 ? 4 : 20
  const settleMillisMax = Math.max(
    settleHeartbeatsMax * plan.heartbeatMillis,
    clocksMillis(plan) + 4 * plan.heartbeatMillis
  )
  let settledMillis = 0
  while (true) {
    yield* advanceTo(now + plan.heartbeatMillis)
    settledMillis = now - healedAt
    const late = settledMillis >= settleMillisMax
    if (!late && (settledMillis < least * plan.heartbeatMillis || !done())) continue
    yield* advanceTo(now + 2 * plan.heartbeatMillis)
    // A clock that jumped may be corrected only after all have come together: its member starts anew, and takes once more.
    if (late || !plan.jumping || done()) break
  }
  converged()
  if (unheardOf !== undefined) Checks.nothingGivenUp(cluster, unheardOf.unheard)
  if (plan.rests) {
    // Until those that died are removed, others ask for them.
    yield* advanceTo(Math.max(now, healedAt + 16 * plan.heartbeatMillis, healedAt + clocksMillis(plan)) + 2_000)
    const flushing = yield* Effect.forEach(
      cluster.nodes(),
      (node) => Effect.forkScoped(node.mccache.flush({ timeout: 60 }))
    )
    yield* advanceTo(now + 4 * plan.heartbeatMillis)
    for (const [index, node] of cluster.nodes().entries()) {
      const exit = flushing[index].pollUnsafe()
      if (exit === undefined || Exit.isFailure(exit)) {
        throw new Checkers.Violation(9, `everything is healed, but a flush of ${node.name} does not succeed`)
      }
    }
    const since = observer.datagrams
    const repairedBefore = Checks.repaired(cluster)
    yield* advanceTo(now + 20 * plan.heartbeatMillis)
    Checkers.quiet(observer, since, 20 * plan.heartbeatMillis / 1_000, plan.heartbeatMillis)
    if (Checks.repaired(cluster) > repairedBefore) throw new Checkers.Violation(7, "members at rest repaired something")
    converged()
    Checks.atRest(cluster)
    const [goes, ...stay] = cluster.nodes()
    if (stay.length > 0) {
      yield* leave(goes.name)
      yield* advanceTo(now + plan.heartbeatMillis)
      Checks.farewellHeard(goes, stay)
    }
  }
  look()
  const result: Result = {
    trace: cluster.trace(),
    members: cluster.nodes().length,
    datagrams: observer.datagrams,
    writes,
    flushes,
    settledMillis
  }
  return result
})

/** Listeners that write when they hear of a change; as long as few did, as each may hear another. */
const listen = ({ seed }: Plan, value: (key: Key, bytes: number) => Value, guard: (check: () => void) => void) => {
  const random = NetworkFaults.mulberry32(seed + 1)
  let writes = 0
  let over = false
  const write = (cache: StandaloneCache<Value>, key: Key): void => {
    const dice = random()
    const other = `k${Math.floor(8 * random())}`
    if (dice < 0.4) cache.set(key, value(key, 10))
    else if (dice < 0.7) cache.set(other, value(other, 10))
    else if (dice < 0.8) cache.delete(key)
    else if (dice < 0.97) cache.delete(other)
    else cache.clear()
  }
  return {
    writes: (): number => writes,
    stop: (): void => void (over = true),
    add: (cache: StandaloneCache<Value>, node: Cluster.Node): void =>
      void cache.on("change", ({ key }) => {
        // Who is killed may hear of a change that was under way.
        if (over || writes >= 300 || node.member.closed() || random() < 0.6) return
        writes++
        guard(() => write(cache, key))
      })
  }
}

/** Lets members clear while they take from others: a moment after they began, of which a plan cannot know when it is. */
const clearInTakes = Effect.fnUntraced(function*(cluster: Cluster.Cluster, seed: number) {
  const fork = Effect.runForkWith(yield* Effect.context())
  const random = NetworkFaults.mulberry32(seed)
  let clears = 0
  const nodeOf = (member: string): Cluster.Node | undefined =>
    cluster.nodes().find(({ member: { id } }) => id === member)
  cluster.witness({
    took: (member, { replica }, donor, stage) => {
      const theirs = nodeOf(donor)?.member.namespaces().get(namespace)?.replica
      if (stage !== "asked" || clears >= 8 || theirs === undefined) return
      if (Digests.hash(theirs.digest) === Digests.hash(replica.digest)) return
      clears++
      const clear = Effect.sync(() => nodeOf(member)?.member.cache(namespace).clear())
      fork(Effect.andThen(Effect.sleep(random() < 0.5 ? 6 * random() : 120 * random()), clear))
    }
  })
})

/** Tells every fold and repair. */
const logger = (
  cluster: Cluster.Cluster,
  now: () => number,
  log: (line: string) => void
): Parameters<Cluster.Cluster["witness"]>[0] => {
  const nameOf = (member: string): string => cluster.nodes().find((node) => node.member.id === member)?.name ?? member
  const at = (): string => `${(now() / 1_000).toFixed(3).padStart(8)} s    `
  return {
    folded: (member, { replica }, event, outcome) => {
      const what = event._tag === "Clear" ? "" : ` ${JSON.stringify(event.key)}`
      log(
        `${at()}${nameOf(member)}: ${event.origin} ${event._tag}${what} at ${
          Stamp.format(event)
        }: ${outcome} (F ${replica.floor}, G ${replica.forget})`
      )
    },
    took: (member, _, donor, stage) => log(`${at()}${nameOf(member)} takes from ${nameOf(donor)}: ${stage}`)
  }
}
