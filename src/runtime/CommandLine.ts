/**
 * The `mccache` command: keys, the effective configuration, and a running cluster, which it joins for a moment as an observer.
 * The commands are in `cli/`, one a file; this is the list of them, and how the command ends.
 */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { McCacheError } from "../domain/McCacheError.ts"
import { version } from "../services/Member.ts"
import * as Checksums from "./cli/Checksums.ts"
import * as Clear from "./cli/Clear.ts"
import { doctor } from "./cli/Doctor.ts"
import * as EffectiveConfig from "./cli/EffectiveConfig.ts"
import * as Entries from "./cli/Entries.ts"
import * as Failure from "./cli/Failure.ts"
import * as Keys from "./cli/Keys.ts"
import * as Members from "./cli/Members.ts"
import * as Metrics from "./cli/Metrics.ts"
import * as NewKey from "./cli/NewKey.ts"
import * as Output from "./cli/Output.ts"
import { hops, mtu } from "./cli/Path.ts"
import { top } from "./cli/Top.ts"
import * as Watch from "./cli/Watch.ts"
import { stress, stressMember } from "./stress/StressCommand.ts"

const root = Command.make("mccache").pipe(
  Command.withDescription("Look at a McCache cluster and change what it holds"),
  Command.withSubcommands([
    NewKey.command,
    EffectiveConfig.command,
    Members.command,
    Metrics.command,
    Checksums.command,
    Keys.command,
    ...Entries.commands,
    Clear.command,
    Watch.command,
    top,
    doctor,
    mtu,
    hops,
    stress,
    stressMember
  ])
)

/** Says why the command is not done, where that was not said yet, and gives it its code. */
const end = (error: unknown): Effect.Effect<never, unknown> => {
  // Usage and what is wrong with it were printed.
  if (CliError.isCliError(error)) {
    const wrong = error._tag !== "ShowHelp" || error.errors.length > 0
    return Effect.fail(wrong ? Failure.failure("usage", error.message) : error)
  }
  const failed = error instanceof McCacheError ? Failure.ofMcCacheError(error) : error
  return failed instanceof Failure.CommandFailed
    ? Effect.andThen(Output.remark(`mccache: ${failed.message}`), Effect.fail(failed))
    : Effect.fail(failed)
}

/** A member's log would stand between the answers; what it warns of is told by the members themselves. */
const quiet = Layer.merge(
  Layer.succeed(Logger.LogToStderr, true),
  Layer.succeed(References.MinimumLogLevel, "Error")
)

/** Runs the command with the arguments of the process. */
export const run = Command.run(root, { version }).pipe(Effect.catch(end), Effect.provide(quiet))
