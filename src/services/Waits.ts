/**
 * Waiting for other members: `ready`, `flush`, and `set` with `ack` (section 7 of the design, "Waits"). A wait is fixed at
 * the call, fails with `AckTimeout` naming who is late, and with `Closed` when the member is closed meanwhile.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Barriers from "../domain/Barriers.ts"
import type { Protocol } from "../domain/Configuration.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MemberIds from "../domain/MemberId.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import type { Places } from "../domain/Outbox.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as TimeInput from "../domain/TimeInput.ts"
import { attempt } from "./Attempt.ts"
import { closedError } from "./CacheCore.ts"
import type { Housekeeper } from "./Housekeeper.ts"
import type { Multicaster } from "./Multicaster.ts"

/** What `flush` did. @category models */
export interface Flushed {
  /** Members that have applied everything. */
  readonly members: number
  /** Members that left meanwhile. */
  readonly left: ReadonlyArray<MemberId>
}

/** How many members to wait for: all or a majority of those live at the call, or a number of *other* members. */
export type Acknowledgement = "all" | "majority" | number

export interface WaitOptions {
  /** How long to wait. **A plain number is seconds.** */
  readonly timeout?: Duration.Input | undefined
}

export interface Waits {
  readonly ready: Effect.Effect<void, McCacheError.McCacheError>
  readonly flush: (options?: WaitOptions) => Effect.Effect<Flushed, McCacheError.McCacheError>
  /** Throws for an acknowledgement, or a timeout, that cannot be, as far as that is known: before the write that asks for it. */
  readonly check: (ack: Acknowledgement, options?: WaitOptions) => void
  /** Waits until so many members applied what was written before the call. */
  readonly acknowledged: (ack: Acknowledgement, options?: WaitOptions) => Effect.Effect<void, McCacheError.McCacheError>
  /** Fails those that wait for others to apply something: it was lost here before it was sent. */
  readonly lost: () => void
  /** Fails those that wait. */
  readonly end: () => void
}

export interface Host {
  readonly protocol: Protocol
  readonly places: Places
  readonly multicaster: Multicaster
  readonly housekeeper: Housekeeper
  readonly closed: () => boolean
}

/** The milliseconds of a timeout. Throws `InvalidConfig` for what is no time. */
export const timeoutMillis = (timeout: Duration.Input | undefined, otherwise: number): number => {
  if (timeout === undefined) return otherwise
  const millis = TimeInput.read(timeout)
  if (millis === undefined || millis < 0) {
    throw McCacheError.make(
      "InvalidConfig",
      `timeout is ${TimeInput.show(timeout)}; accepted: seconds from 0, or a duration such as "2 seconds".`
    )
  }
  return Math.min(millis, TimeInput.millisMax)
}

/** What is left of the time that a wait was given. */
interface Patience {
  readonly left: number
  readonly millis: number
}

const late = (text: string) => Effect.fail(McCacheError.make("AckTimeout", text))

export const make = ({ closed, housekeeper, multicaster, places, protocol }: Host): Waits => {
  const ended = Deferred.makeUnsafe<never, McCacheError.McCacheError>()
  let lost = Deferred.makeUnsafe<never, McCacheError.McCacheError>()

  const unlessEnded = <A, E>(wait: Effect.Effect<A, E>): Effect.Effect<A, E | McCacheError.McCacheError> =>
    Effect.suspend(() => closed() ? Effect.fail(closedError()) : Effect.raceFirst(wait, Deferred.await(ended)))

  const ready = unlessEnded(
    Effect.callback<void>((resume) => {
      const stop = housekeeper.when(
        () => !closed() && housekeeper.ready() && housekeeper.caughtUp(),
        () => resume(Effect.void)
      )
      return Effect.sync(stop)
    })
  )

  /** A member that just started does not know yet who is there. */
  const acquainted = unlessEnded(
    Effect.callback<void>((resume) => {
      const stop = housekeeper.when(() => !closed() && housekeeper.acquainted(), () => resume(Effect.void))
      return Effect.sync(stop)
    })
  )

  const nameOf = (id: MemberId): string => {
    const member = housekeeper.membership.members.get(id)
    return member === undefined ? MemberIds.short(id) : MemberLabel.of(member)
  }

  /** Waits for members to settle everything that is in the outbox or was sent before now. */
  const barrier = (
    needed: number | "all",
    { left, millis }: Patience
  ): Effect.Effect<Flushed, McCacheError.McCacheError> =>
    Effect.suspend(() => {
      const ids = [...housekeeper.membership.members.keys()]
      if (ids.length === 0 && (needed === "all" || needed <= 0)) return Effect.succeed({ members: 0, left: [] })
      let made: Barriers.Barrier | undefined
      const wait = Effect.callback<Flushed, McCacheError.McCacheError>((resume) => {
        const barrier = Barriers.add(multicaster.barriers, { place: places.last, members: ids, needed }, (passed) => {
          resume(
            passed
              ? Effect.succeed({ members: barrier.passed.size, left: [...barrier.left] })
              : late(
                `Only ${barrier.passed.size} of the ${needed} members that were asked for are left in the cluster.`
              )
          )
        })
        made = barrier
        multicaster.wake()
        return Effect.sync(() => Barriers.remove(multicaster.barriers, barrier))
      })
      return unlessEnded(wait).pipe(Effect.timeoutOrElse({
        duration: left,
        orElse: () => {
          const names = [...made?.awaited ?? []].map(nameOf)
          return late(
            `After ${millis} ms ${names.length} members have not applied everything: ${
              names.join(", ")
            }. The writes are made and will reach them; allow more time, or look at their lag in members.`
          )
        }
      }))
    })

  /** First waits until the barrier can be made, of the same time, then for the barrier; what is lost in either fails both. */
  const waiting = <A>(
    first: Effect.Effect<void, McCacheError.McCacheError>,
    millis: number,
    then: (patience: Patience) => Effect.Effect<A, McCacheError.McCacheError>
  ): Effect.Effect<A, McCacheError.McCacheError> =>
    Effect.suspend(() => {
      const both = Effect.gen(function*() {
        const began = yield* Clock.currentTimeNanos
        yield* Effect.timeoutOrElse(first, {
          duration: millis,
          orElse: () => late(`This member is not ready after ${millis} ms: wait for ready first.`)
        })
        const elapsed = Number((yield* Clock.currentTimeNanos) - began) / 1e6
        return yield* then({ left: Math.max(0, millis - elapsed), millis })
      })
      return Effect.raceFirst(both, Deferred.await(lost))
    })

  /** How many other members that is now. */
  const neededFor = (ack: Acknowledgement, isWritten: boolean): number | "all" => {
    const others = housekeeper.membership.members.size
    if (ack === "all") return "all"
    // A majority of all members; this one has what it wrote.
    if (ack === "majority") return Math.floor((others + 1) / 2)
    if (!Number.isInteger(ack) || ack < 0) {
      throw McCacheError.make(
        "InvalidConfig",
        `ack is ${TimeInput.show(ack)}; accepted: "all", "majority", or a whole number of other members.`
      )
    }
    // A member that just started does not know yet how many there are: it asks anew when it does.
    if (ack > others && housekeeper.acquainted()) {
      throw McCacheError.make(
        "AckTimeout",
        `ack asks for ${ack} other members, but only ${others} are known: ask for fewer, or start more. ` +
          (isWritten ? "What was written stands." : "Nothing was written.")
      )
    }
    return ack
  }

  const millisOf = ({ timeout }: WaitOptions): number => timeoutMillis(timeout, protocol.ackTimeoutMillis)

  return {
    ready: ready.pipe(Effect.withSpan("McCache.ready")),
    flush: (options = {}) =>
      attempt(() => millisOf(options)).pipe(
        Effect.flatMap((millis) => waiting(ready, millis, (patience) => barrier("all", patience))),
        Effect.withSpan("McCache.flush")
      ),
    check: (ack, options = {}) => {
      neededFor(ack, false)
      millisOf(options)
    },
    acknowledged: (ack, options = {}) =>
      attempt(() => millisOf(options)).pipe(
        Effect.flatMap((millis) =>
          waiting(acquainted, millis, (patience) =>
            Effect.flatMap(
              attempt(() => neededFor(ack, true)),
              (needed) => barrier(needed, patience)
            ))
        ),
        Effect.asVoid,
        Effect.withSpan("McCache.acknowledged")
      ),
    lost: () => {
      const before = lost
      lost = Deferred.makeUnsafe()
      Deferred.doneUnsafe(
        before,
        late("This member started anew, and lost what it had written and others have not applied yet: write it again.")
      )
    },
    end: () => void Deferred.doneUnsafe(ended, Effect.fail(closedError()))
  }
}
