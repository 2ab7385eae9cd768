/** How a command fails: with a message for people on stderr, no trace of the stack, and an exit code. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as McCacheError from "../../domain/McCacheError.ts"

/** It was told already; what is left is the exit code. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", { exitCode: Schema.Int }) {
  override readonly [Runtime.errorReported] = false
  override get [Runtime.errorExitCode](): number {
    return this.exitCode
  }
}

/** Something is wrong: 1. */
export const failed = 1
/** Some member did not answer: 3. */
export const unanswered = 3

/** Says what was wrong on stderr, and fails with 1: for `Effect.catchTag("McCacheError", …)`. */
export const tell = (error: McCacheError.McCacheError): Effect.Effect<never, Failure> =>
  Effect.andThen(Console.error(error.message), Effect.fail(new Failure({ exitCode: failed })))
