/**
 * Streams of what is published in the middle of something: of a fold, or of a change of the clock. Publishing runs who waits for
 * it at once, and what that writes would be folded inside the fold that it hears of. Each wakes up on a turn of its own instead.
 */
import * as Effect from "effect/Effect"
import type * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

/** What is published from when it is run on. */
export const stream = <A>(published: PubSub.PubSub<A>): Stream.Stream<A> =>
  Stream.mapArrayEffect(Stream.fromPubSub(published), (values) => Effect.as(Effect.yieldNow, values))
