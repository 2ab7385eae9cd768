/** `mccache clear`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Connection from "./Connection.ts"
import { failure, unanswered } from "./Failure.ts"
import * as Keyed from "./Keyed.ts"
import * as Output from "./Output.ts"
import * as Survey from "./Survey.ts"

export const command = Command.make(
  "clear",
  {
    name: Keyed.name.pipe(Argument.optional),
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Clear all namespaces, in place of one"),
      Flag.withDefault(false)
    ),
    ...Connection.flags,
    node: Flag.String("node").pipe(
      Flag.withDescription(
        "Clear only this member, which then transfers anew: its id, the beginning of it, or host:pid"
      ),
      Flag.optional
    )
  },
  ({ all, name, node, ...connection }) =>
    Effect.gen(function*() {
      if (all === Option.isSome(name)) {
        return yield* failure("usage", "Say what to clear: the name of a namespace, or --all for every one.")
      }
      yield* Connection.observe(
        connection,
        Effect.fnUntraced(function*(member) {
          const chosen = Option.getOrUndefined(name)
          const bounds = Connection.bounds(connection, node)
          const survey = yield* Survey.of(member, bounds)
          if (chosen !== undefined) yield* Survey.opened(survey, chosen)
          if (bounds.node !== undefined && survey.answers.length === 0) return yield* unanswered(survey.missing)
          yield* member.clear({ name: chosen, node: bounds.node })
          const what = chosen === undefined ? "all namespaces" : `namespace ${JSON.stringify(chosen)}`
          const members = bounds.node === undefined
            ? (yield* member.flush({ timeout: bounds.timeout })).members
            : survey.answers.length
          yield* connection.json
            ? Output.json({ namespace: chosen ?? null, members })
            : Output.line(`Cleared ${what} at ${members} ${members === 1 ? "member" : "members"}.`)
          yield* Survey.requireAll(survey)
        })
      )
    })
).pipe(
  Command.withDescription(
    "Clear a namespace everywhere, or at one member, which then transfers it anew from the others"
  ),
  Command.withShortDescription("Clear a namespace, or all"),
  Command.withExamples([
    { command: "mccache clear users", description: "Everywhere" },
    {
      command: "mccache clear --all",
      description: "All namespaces, also those opened later by members that were away"
    },
    { command: "mccache clear users --node web-1:4711", description: "Let one member begin anew" }
  ])
)
