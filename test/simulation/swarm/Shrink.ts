/**
 * Makes a failing plan shorter: Zeller's ddmin over its steps ("Simplifying and Isolating Failure-Inducing Input", 2002),
 * bounded in runs. Any part of a plan is a plan, and a plan runs the same every time.
 */
import * as Effect from "effect/Effect"
import type { Plan } from "./Plan.ts"

/** The shortest plan found for which `fails` still holds. */
export const shrink = Effect.fnUntraced(function*(
  plan: Plan,
  fails: (plan: Plan) => Effect.Effect<boolean>,
  runsMax = 300
): Effect.fn.Return<Plan> {
  let best = plan
  let runs = 0
  const tryOut = Effect.fnUntraced(function*(shorter: Plan): Effect.fn.Return<boolean> {
    if (runs >= runsMax) return false
    runs++
    if (!(yield* fails(shorter))) return false
    best = shorter
    return true
  })
  // What comes after the failure cannot have caused it.
  for (let share = 2; share <= 16; share *= 2) {
    const length = Math.floor(best.steps.length * (1 - 1 / share))
    const steps = best.steps.slice(0, length)
    if (length > 0) yield* tryOut({ ...best, steps })
  }
  let pieces = 2
  while (best.steps.length > 1 && pieces <= best.steps.length && runs < runsMax) {
    const size = Math.ceil(best.steps.length / pieces)
    let removed = false
    for (let from = 0; from < best.steps.length && !removed; from += size) {
      const steps = [...best.steps.slice(0, from), ...best.steps.slice(from + size)]
      if (steps.length > 0) removed = yield* tryOut({ ...best, steps })
    }
    if (removed) pieces = Math.max(2, pieces - 1)
    else if (size === 1) break
    else pieces = Math.min(best.steps.length, pieces * 2)
  }
  return best
})
