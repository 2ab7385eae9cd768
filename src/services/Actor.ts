/**
 * Actors: the supervised fibers of McCache. An actor has one bounded queue, one function that handles everything that
 * the queue holds at once, and one time at which it wants to be woken although nothing arrived. Actors talk only by
 * offering messages to each other, so that each piece of state has one writer.
 *
 * An actor that is offered something handles it on the next turn of the event loop, with all that came until then. In an
 * idle process such a turn takes 10 µs, and a write passes three actors before it is readable elsewhere: what is handed over
 * is therefore handled at once by an actor that rests. It then waits for a turn, so that a burst is two batches, not many.
 *
 * The supervisor restarts an actor that died, with backoff; the queue and the machines that the actor owns outlive the
 * fiber, so that nothing that was accepted is lost and no number is used again.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** What an actor does. */
export interface Behavior<M> {
  readonly name: string
  /** Messages that may wait. What does not fit is dropped and counted: every message here can be repeated or repaired. */
  readonly capacity: number
  /**
   * Handles a batch, which is empty when only the time has come. Runs on one turn; what it returns is run before the
   * next batch is taken (sending datagrams, calling callbacks).
   */
  readonly handle: (messages: ReadonlyArray<M>) => Effect.Effect<void> | undefined
  /** When to be woken at the latest, in this member's milliseconds; `Infinity` for never. */
  readonly nextDue: () => number
  /** Called before the actor runs again after it died: checks or rebuilds what the actor owns. */
  readonly restarted?: (() => void) | undefined
}

/** A running actor, as the others see it. */
export interface Actor<M> {
  readonly name: string
  /** False when the queue was full and the message was dropped. */
  readonly offer: (message: M) => boolean
  /** The same, but an actor that rests handles the message within this call. */
  readonly handOver: (message: M) => boolean
  /** Has the actor look at its due times again; costs nothing while it is awake. */
  readonly wake: () => void
  /** Interrupts the fiber; the supervisor starts it anew. A test hook. */
  readonly kill: Effect.Effect<void>
  readonly depth: () => {
    readonly now: number
    readonly max: number
    readonly average: number
    readonly dropped: number
  }
  readonly restarts: () => number
}

/** The supervisor's patience: the first restart is immediate, then the pause doubles from 10 ms up to one second. */
const backoffMillis = (failures: number): number => failures <= 1 ? 0 : Math.min(1_000, 5 * 2 ** Math.min(failures, 8))
/** Batches without a rest after which the others run: an actor that is always due must not hold up the process. */
const passesMax = 64
/** Failures further apart than this are not a row of failures. */
const calmMillis = 10_000

/** A supervised fiber without a queue. */
export type Loop = Pick<Actor<never>, "name" | "kill" | "restarts">

/**
 * Starts a supervised loop that holds a resource. The first acquisition happens here and its failure is the caller's;
 * afterwards, whatever ends the loop releases the resource, and the supervisor acquires it anew, with backoff.
 */
export const startLoop = Effect.fnUntraced(function*<A, E>(
  name: string,
  acquire: Effect.Effect<A, E, Scope.Scope>,
  use: (resource: A) => Effect.Effect<never, E>
): Effect.fn.Return<Loop, E, Scope.Scope> {
  const clock = yield* Clock.Clock
  const opened = yield* Deferred.make<void, E>()
  let restarts = 0
  let fiber: Fiber.Fiber<never, E> | undefined
  const once = Effect.scoped(Effect.flatMap(acquire, (resource) => {
    Deferred.doneUnsafe(opened, Effect.void)
    return use(resource)
  }))
  const supervise = Effect.gen(function*() {
    let failures = 0
    let failedAt = -Infinity
    while (true) {
      fiber = yield* Effect.forkChild(once)
      const exit = yield* Fiber.await(fiber)
      if (!Deferred.isDoneUnsafe(opened) && Exit.isFailure(exit)) {
        yield* Deferred.failCause(opened, exit.cause)
        return
      }
      restarts++
      const at = clock.currentTimeMillisUnsafe()
      failures = at - failedAt > calmMillis ? 1 : failures + 1
      failedAt = at
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
        yield* Effect.logWarning(
          `McCache's ${name} failed and is restarted: what was missed meanwhile is repaired`,
          exit.cause
        )
      }
      yield* Effect.sleep(backoffMillis(failures))
    }
  })
  yield* Effect.forkScoped(supervise)
  yield* Deferred.await(opened)
  return {
    name,
    kill: Effect.suspend(() => fiber === undefined ? Effect.void : Fiber.interrupt(fiber)),
    restarts: () => restarts
  }
})

/**
 * Starts an actor in the scope. `now` gives this member's time, in which due times are counted; the actor sleeps on the
 * `Clock` service.
 */
export const start = Effect.fnUntraced(function*<M>(
  behavior: Behavior<M>,
  now: () => number
): Effect.fn.Return<Actor<M>, never, Scope.Scope> {
  const queue = yield* Queue.dropping<M>(behavior.capacity)
  const clock = yield* Clock.Clock
  let waking = false
  let dropped = 0
  let depthMax = 0
  let depthSum = 0
  let batches = 0
  let restarts = 0
  let armed = Infinity
  let sleeper: Fiber.Fiber<void> | undefined
  let fiber: Fiber.Fiber<never> | undefined

  /** Resumes the fiber while it rests: with a turn of the event loop first, or within the call. */
  let resume: ((effect: Effect.Effect<void>) => void) | undefined
  let handedOver = false
  const rest = Effect.callback<void>((resumed) => {
    // The fiber may have had to yield before it came here: who called meanwhile found nobody to rouse.
    if (awake()) return resumed(Effect.void)
    resume = resumed
    return Effect.sync(() => {
      resume = undefined
    })
  })
  const rouse = (first: Effect.Effect<void>): void => {
    const resting = resume
    resume = undefined
    resting?.(first)
  }

  const offer = (message: M): boolean => {
    const offered = Queue.offerUnsafe(queue, message)
    if (!offered) dropped++
    return offered
  }

  const wake = (): void => {
    if (waking) return
    waking = true
    rouse(Effect.yieldNow)
  }

  const ring = (): void => {
    armed = Infinity
    sleeper = undefined
    wake()
  }

  // One sleeper at a time. It is only replaced when something is due earlier than it; a sleeper that fires early is cheap.
  const arm = (due: number): Effect.Effect<void> | undefined => {
    if (due >= armed) return undefined
    sleeper?.interruptUnsafe()
    armed = due
    const millis = Math.max(0, Math.ceil(due - now()))
    return Effect.map(
      Effect.forkChild(Effect.map(Effect.sleep(millis), ring), { startImmediately: true }),
      (started) => {
        sleeper = started
      }
    )
  }

  const awake = (): boolean => waking || Queue.sizeUnsafe(queue) > 0

  const loop = Effect.gen(function*() {
    armed = Infinity
    sleeper = undefined
    let passes = 0
    while (true) {
      const due = behavior.nextDue()
      if (!awake() && due > now()) {
        const arming = arm(due)
        if (arming !== undefined) yield* arming
        yield* rest
        passes = 0
      }
      waking = false
      const messages = Queue.sizeUnsafe(queue) > 0 ? yield* Queue.takeAll(queue) : []
      if (messages.length > depthMax) depthMax = messages.length
      depthSum += messages.length
      batches++
      const effect = behavior.handle(messages)
      if (effect !== undefined) yield* effect
      if (handedOver || ++passes >= passesMax) {
        handedOver = false
        passes = 0
        yield* Effect.yieldNow
      }
    }
  })

  const supervise = Effect.gen(function*() {
    let failures = 0
    let failedAt = -Infinity
    while (true) {
      fiber = yield* Effect.forkChild(loop)
      const exit = yield* Fiber.await(fiber)
      restarts++
      const at = clock.currentTimeMillisUnsafe()
      failures = at - failedAt > calmMillis ? 1 : failures + 1
      failedAt = at
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
        yield* Effect.logError(
          `McCache's ${behavior.name} failed and is restarted with all that it had accepted. Please report this`,
          exit.cause
        )
      }
      yield* Effect.sleep(backoffMillis(failures))
      waking = false
      behavior.restarted?.()
      wake()
    }
  })

  yield* Effect.forkScoped(supervise)
  return {
    name: behavior.name,
    offer: (message) => {
      const offered = offer(message)
      rouse(Effect.yieldNow)
      return offered
    },
    handOver: (message) => {
      const offered = offer(message)
      if (resume !== undefined) {
        handedOver = true
        rouse(Effect.void)
      }
      return offered
    },
    wake,
    kill: Effect.suspend(() => fiber === undefined ? Effect.void : Fiber.interrupt(fiber)),
    depth: () => ({
      now: Queue.sizeUnsafe(queue),
      max: depthMax,
      average: batches === 0 ? 0 : depthSum / batches,
      dropped
    }),
    restarts: () => restarts
  }
})
