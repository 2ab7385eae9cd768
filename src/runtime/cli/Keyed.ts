/** Arguments that name a namespace and a key. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type { Key } from "../../domain/Key.ts"
import { type CommandFailed, failure } from "./Failure.ts"

export const name = Argument.String("name").pipe(Argument.withDescription("The namespace"))
export const key = Argument.String("key").pipe(Argument.withDescription("The key"))

/** `1` and `"1"` are two keys, and the shell knows only texts. */
export const number = Flag.Boolean("number").pipe(
  Flag.withDescription("The key is a number and not a text"),
  Flag.withDefault(false)
)

/** The key that was meant. */
export const read = (text: string, number: boolean): Effect.Effect<Key, CommandFailed> => {
  if (!number) return Effect.succeed(text)
  const value = text.trim() === "" ? NaN : Number(text)
  return Number.isFinite(value)
    ? Effect.succeed(value)
    : Effect.fail(failure("usage", `With --number the key must be a finite number, not ${JSON.stringify(text)}.`))
}
