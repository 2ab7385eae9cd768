/**
 * Who hears of what is published in the middle of something: of a fold, or of a change of the clock. A subscriber wakes up on a turn
 * of its own: run at once, what it writes would be folded inside the fold that it hears of. What it is behind by is bounded, and
 * takes room only while it is; beyond the bound the oldest is missed.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

export const make = <A>(): Effect.Effect<PubSub.PubSub<A>> => PubSub.unbounded<A>()

/** Publishes, now. False: somebody is `waitingMax` behind, and missed the oldest. */
export const publish = <A>(self: PubSub.PubSub<A>, value: A, waitingMax: number): boolean => {
  const hasRoom = PubSub.sizeUnsafe(self) < waitingMax
  if (!hasRoom) self.pubsub.slide()
  PubSub.publishUnsafe(self, value)
  return hasRoom
}

/** What is published from when it is run on. */
export const stream = <A>(self: PubSub.PubSub<A>): Stream.Stream<A> =>
  Stream.mapArrayEffect(Stream.fromPubSub(self), (values) => Effect.as(Effect.yieldNow, values))
