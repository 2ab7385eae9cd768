/**
 * A simulated cluster: real members on a deterministic in-memory network, under the test clock. One seed gives one trace.
 *
 * Run it where time is a `TestClock`: in `it.effect` of `@effect/vitest`, or with `Effect.provide(TestClock.layer())`. Time
 * passes only in `advance`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { Options } from "../../domain/Configuration.ts"
import * as McCacheErrors from "../../domain/McCacheError.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import { Entropy } from "../../services/Entropy.ts"
import { HostProcess } from "../../services/HostProcess.ts"
import type { McCacheService } from "../../services/McCacheService.ts"
import * as McCacheServices from "../../services/McCacheService.ts"
import * as Members from "../../services/Member.ts"
import type { Member } from "../../services/Member.ts"
import { Network } from "../../services/Network.ts"
import type * as Witnesses from "../../services/Witness.ts"
import { Witness } from "../../services/Witness.ts"
import * as MemoryNetwork from "../MemoryNetwork.ts"
import * as NetworkFaults from "../NetworkFaults.ts"
import * as Settings from "../Settings.ts"
import * as Trace from "./Trace.ts"

/** One member of a simulated cluster. @category models */
export interface Node {
  /** The name that it was joined with: its address on the network. */
  readonly name: string
  readonly mccache: McCacheService
  /** The machinery behind it, for checkers and hooks. */
  readonly member: Member
  /** Sets its clock this far from true time. */
  readonly skew: (millis: number) => void
}

/** Options of one member, beside those of all: how far its clock is off, and what its socket holds. @category models */
export interface JoinOptions extends Options {
  readonly skewMillis?: number | undefined
  readonly receiveBufferBytes?: number | undefined
}

/** @category models */
export interface Cluster {
  readonly hub: MemoryNetwork.Hub
  /** Members that are alive. */
  readonly nodes: () => ReadonlyArray<Node>
  readonly node: (name: string) => Node
  /** Starts a member; it has opened when this succeeds, and catches up as time advances. */
  readonly join: (name: string, options?: JoinOptions) => Effect.Effect<Node, McCacheError>
  /** Ends a member without a farewell. Its name may join again, as another member. */
  readonly kill: (name: string) => Effect.Effect<void>
  /** Closes a member properly, for which time passes: it sends what is queued and says farewell. */
  readonly leave: (name: string) => Effect.Effect<void>
  /** Stops a member as SIGSTOP does a process: what arrives fills its buffer, and its timers fire when it resumes. */
  readonly pause: (name: string) => void
  readonly resume: (name: string) => void
  /** Members of different groups stop hearing each other. */
  readonly partition: (groups: ReadonlyArray<ReadonlyArray<string>>) => void
  readonly heal: () => void
  /** Sets the network's faults; those not named are off. */
  readonly faults: (faults: Partial<NetworkFaults.Faults>) => void
  /** Lets virtual time pass, after what is ready has run. */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
  /** Ends one supervised fiber of a member, by name; its supervisor starts it anew. */
  readonly killFiber: (name: string, fiber: string) => Effect.Effect<void>
  /** Shows every fold, repair and accepted datagram of every member from now on. Returns what ends that. */
  readonly witness: (listener: Partial<Witnesses.Witness>) => () => void
  /** A hash of all that was sent so far: equal for equal seeds. */
  readonly trace: () => string
}

interface Alive {
  readonly node: Node
  readonly scope: Scope.Closeable
  /** Closed while the member is stopped. */
  readonly running: Latch.Latch
}

/** What a simulated member starts from, before the options of `join`. */
const defaults: Options = { cluster: "simulation", multicastIp: "224.0.0.3:4000" }

/**
 * Makes a simulated cluster. `seed` decides everything that is random; `faults` are those of the network from the start;
 * `options` are every member's.
 */
export const make = Effect.fnUntraced(function*(settings: {
  readonly seed?: number | undefined
  readonly faults?: Partial<NetworkFaults.Faults> | undefined
  readonly options?: Options | undefined
  readonly datagramBytesMax?: number | undefined
} = {}): Effect.fn.Return<Cluster, never, Scope.Scope> {
  const seed = settings.seed ?? 1
  const base = yield* Clock.Clock
  const hub = yield* MemoryNetwork.make({
    seed,
    faults: settings.faults,
    datagramBytesMax: settings.datagramBytesMax ?? 1_472
  })
  const trace = Trace.make()
  hub.tap((sent) => trace.add(base.currentTimeMillisUnsafe(), sent.from, sent.to, sent.payload))
  const outer = yield* Effect.scope
  const alive = new Map<string, Alive>()
  const witnesses = new Set<Partial<Witnesses.Witness>>()
  const witness: Witnesses.Witness = {
    folded: (...fold) => {
      for (const each of witnesses) each.folded?.(...fold)
    },
    took: (...stage) => {
      for (const each of witnesses) each.took?.(...stage)
    },
    accepted: (...datagram) => {
      for (const each of witnesses) each.accepted?.(...datagram)
    }
  }
  let joined = 0

  const get = (name: string) => {
    const found = alive.get(name)
    if (found === undefined) {
      throw new Error(
        `There is no member ${JSON.stringify(name)} in the simulation; there are ${[...alive.keys()].join(", ")}.`
      )
    }
    return found
  }

  const join = Effect.fnUntraced(function*(
    name: string,
    options: JoinOptions = {}
  ): Effect.fn.Return<Node, McCacheError> {
    if (alive.has(name)) {
      return yield* McCacheErrors.make(
        "InvalidConfig",
        `A member named ${JSON.stringify(name)} is alive: kill it first.`
      )
    }
    const { receiveBufferBytes, skewMillis, ...own } = options
    const { configuration } = yield* Settings.load({ ...defaults, ...settings.options, ...own }, { env: {} })
    const random = NetworkFaults.mulberry32(seed * 7_919 + ++joined)
    const running = Latch.makeUnsafe(true)
    let skew = skewMillis ?? 0
    const context = Context.make(Network, hub.network(name, { receiveBufferBytes })).pipe(
      Context.add(Clock.Clock, MemoryNetwork.skewedClock(base, () => skew, running)),
      Context.add(Random.Random, {
        nextDoubleUnsafe: random,
        nextIntUnsafe: () => Math.floor((random() * 2 - 1) * Number.MAX_SAFE_INTEGER)
      }),
      Context.add(Entropy, (bytes: number) => Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256))),
      Context.add(Witness, witness),
      Context.add(HostProcess, {
        host: name,
        pid: joined,
        thread: 0,
        usage: () => ({ load: 0, cpuMillis: 0, residentBytes: 0, heapBytes: 0 })
      })
    )
    const scope = yield* Scope.fork(outer)
    const member = yield* Members.make(configuration).pipe(
      Scope.provide(scope),
      Effect.provideContext(context)
    )
    const node: Node = {
      name,
      member,
      mccache: McCacheServices.make(member, noProbe),
      skew: (millis) => {
        skew = millis
      }
    }
    alive.set(name, { node, scope, running })
    // At the end nobody lets time pass any more, which a proper farewell would wait for.
    yield* Scope.addFinalizer(outer, member.kill)
    return node
  })

  return {
    hub,
    nodes: () => [...alive.values()].map(({ node }) => node),
    node: (name) => get(name).node,
    join,
    kill: (name) =>
      Effect.suspend(() => {
        const { node, scope } = get(name)
        alive.delete(name)
        return node.member.kill.pipe(
          Effect.andThen(Scope.close(scope, Exit.void)),
          // The address is free for another; what a stopped one had to send is gone with it.
          Effect.andThen(Effect.sync(() => hub.resume(name)))
        )
      }),
    leave: Effect.fnUntraced(function*(name: string) {
      const { running, scope } = get(name)
      alive.delete(name)
      hub.resume(name)
      running.openUnsafe()
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      while (closing.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    }),
    pause: (name) => {
      get(name).running.closeUnsafe()
      hub.pause(name)
    },
    resume: (name) => {
      get(name).running.openUnsafe()
      hub.resume(name)
    },
    partition: hub.partition,
    heal: hub.heal,
    faults: hub.setFaults,
    advance: (duration) => Effect.andThen(settle, TestClock.adjust(duration)),
    killFiber: (name, fiber) =>
      Effect.suspend(() => {
        const found = get(name).node.member.fibers().get(fiber)
        if (found === undefined) {
          throw new Error(
            `Member ${name} has no fiber ${JSON.stringify(fiber)}; it has ${
              [...get(name).node.member.fibers().keys()].join(", ")
            }.`
          )
        }
        return found.kill
      }),
    witness: (listener) => {
      witnesses.add(listener)
      return () => void witnesses.delete(listener)
    },
    trace: trace.hash
  }
})

/** Turns in which what a program did since time passed last is carried through: a write, to the last member that it reaches. */
const settlingTurns = 8

/** The test clock waits for what time wakes only. What is ready without it must not find that seconds have passed. */
const settle = Effect.repeat(Effect.yieldNow, { times: settlingTurns - 1 })

const noProbe = {
  mtu: () => Effect.fail(McCacheErrors.make("NetworkFailed", "A simulated network has no paths to measure.")),
  hops: () => Effect.fail(McCacheErrors.make("NetworkFailed", "A simulated network has no paths to measure."))
}

/** The layer of one simulated member: for programs that yield `McCache`. */
export const nodeLayer = <I>(tag: Context.Key<I, McCacheService>, node: Node): Layer.Layer<I> =>
  Layer.succeed(tag, node.mccache)
