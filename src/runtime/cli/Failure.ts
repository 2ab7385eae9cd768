/** How the command ends: its exit codes, and what it says on the standard error stream when it is not done. */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type { McCacheError, Reason } from "../../domain/McCacheError.ts"

/** `docs/command-line.md` tells them to users. */
export const codes = {
  done: 0,
  failed: 1,
  /** A flag, an argument or a setting that cannot be. */
  usage: 2,
  /** Some member did not answer, or has not applied the write, within the timeout. What the others said was printed. */
  unanswered: 3,
  /** Nobody is there, or nobody has that namespace or key. */
  notFound: 4
} as const

/** The command ends with a code that is not 0, and has said why, or says so now. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String,
  code: Schema.Int
}) {
  override readonly [Runtime.errorExitCode] = this.code
  override readonly [Runtime.errorReported] = false
}

export const failure = (code: keyof typeof codes, message: string): CommandFailed =>
  new CommandFailed({ message, code: codes[code] })

const codesOfReasons: { readonly [Tag in Reason["_tag"]]?: keyof typeof codes } = {
  InvalidConfig: "usage",
  InvalidKey: "usage",
  AckTimeout: "unanswered"
}

export const ofMcCacheError = (error: McCacheError): CommandFailed =>
  failure(codesOfReasons[error.reason._tag] ?? "failed", error.message)

/** What is said, and the code, when members did not answer. */
export const unanswered = (labels: ReadonlyArray<string>): CommandFailed =>
  failure(
    "unanswered",
    `${labels.length === 1 ? "A member" : `${labels.length} members`} did not answer: ${labels.join(", ")}. ` +
      "Allow more time with --timeout, or look at their load."
  )
