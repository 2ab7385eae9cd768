/** `mccache members`. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { MemberInfo } from "../../services/Gather.ts"
import * as Connection from "./Connection.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"
import * as Survey from "./Survey.ts"
import type { Table } from "./Table.ts"

/** A row for each member. Of who did not answer is not known what it has open. */
export const table = (members: ReadonlyArray<MemberInfo>, survey: Survey.Survey): Table => ({
  columns: [
    { title: "Member" },
    { title: "Id" },
    { title: "Address" },
    { title: "State" },
    { title: "Version" },
    { title: "Clock", align: "right" },
    { title: "Entries", align: "right" },
    { title: "Namespaces" }
  ],
  rows: members.map((member) => {
    const namespaces = survey.answers.find((answer) => answer.member === member.id)?.answer.namespaces
    return [
      member.label,
      member.id.slice(0, 8),
      member.address,
      member.state,
      member.version,
      `${member.clockSkewMillis > 0 ? "+" : ""}${Show.millis(member.clockSkewMillis)}`,
      namespaces === undefined
        ? "?"
        : Show.count(Object.values(namespaces).reduce((total, { count }) => total + count, 0)),
      namespaces === undefined ? "(no answer)" : Object.keys(namespaces).sort().join(", ")
    ]
  })
})

/** A row for each setting of a namespace and each member that has it open. */
export const differencesTable = (differences: ReadonlyArray<Survey.Difference>): Table => ({
  columns: [{ title: "Namespace" }, { title: "Setting" }, { title: "Member" }, { title: "Value", align: "right" }],
  rows: differences.flatMap(({ namespace, setting, values }) =>
    values.map(({ member, value }) => [namespace, setting, member, value])
  )
})

export const command = Command.make(
  "members",
  { ...Connection.flags, node: Connection.node },
  ({ node, ...connection }) =>
    Connection.observe(
      connection,
      Effect.fnUntraced(function*(member) {
        const survey = yield* Survey.of(member, Connection.bounds(connection, node))
        const chosen = new Set([...survey.answers.map(({ label }) => label), ...survey.missing])
        const members = member.members()
          .filter((each) => each.state !== "self" && chosen.has(each.label))
          .sort((a, b) => a.label < b.label ? -1 : 1)
        const differences = Survey.differences(survey)
        if (connection.json) {
          // What they have differently than this process says nothing, as it has nothing; the lag is that of its own writes.
          const told = members.map(({ address, clockSkewMillis, host, id, label, pid, state, version }) => ({
            id,
            label,
            host,
            pid,
            address,
            version,
            state,
            clockSkewMillis,
            namespaces: Object.keys(
              survey.answers.find((answer) => answer.member === id)?.answer.namespaces ?? {}
            ).sort()
          }))
          yield* Output.json({ members: told, differences, missing: survey.missing })
        } else {
          yield* Output.table(table(members, survey))
          if (differences.length > 0) {
            yield* Output.line(
              "\nMembers differ. Where mode, collision or eviction do, they ignore each other's writes:"
            )
            yield* Output.table(differencesTable(differences))
          }
        }
        yield* Survey.requireAll(survey)
      })
    )
).pipe(
  Command.withDescription(
    "Print the members of the cluster, what they have open, and options that they should share but do not"
  ),
  Command.withShortDescription("Print the members of the cluster"),
  Command.withExamples([
    { command: "mccache members --cluster shop", description: "Who is there" },
    { command: "mccache members --json | jq '.differences'", description: "Which options differ" }
  ])
)
