/** Local work that throws `McCacheError`, as an effect that fails with it. */
import * as Effect from "effect/Effect"
import { McCacheError } from "../domain/McCacheError.ts"

/** What `evaluate` throws as `McCacheError` is the effect's failure; anything else is a defect. */
export const attempt = <A>(evaluate: () => A): Effect.Effect<A, McCacheError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(evaluate())
    } catch (error) {
      return error instanceof McCacheError ? Effect.fail(error) : Effect.die(error)
    }
  })
