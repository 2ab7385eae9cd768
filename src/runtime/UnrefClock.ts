/** A clock on which sleeping does not keep the process alive: for `unref: true`. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** The longest time that a timer of Node takes. */
const timerMillisMax = 2 ** 31 - 1

const sleep = (millis: number): Effect.Effect<void> =>
  millis <= 0 ? Effect.yieldNow : Effect.callback((resume) => {
    const slept = Math.min(millis, timerMillisMax)
    const timer = setTimeout(() => resume(slept === millis ? Effect.void : sleep(millis - slept)), slept)
    timer.unref()
    return Effect.sync(() => clearTimeout(timer))
  })

export const make = (base: Clock.Clock): Clock.Clock => ({
  currentTimeMillisUnsafe: () => base.currentTimeMillisUnsafe(),
  currentTimeMillis: base.currentTimeMillis,
  currentTimeNanosUnsafe: () => base.currentTimeNanosUnsafe(),
  currentTimeNanos: base.currentTimeNanos,
  monotonicTimeNanosUnsafe: () => base.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: base.monotonicTimeNanos,
  sleep: (duration) => sleep(Duration.toMillis(duration))
})
