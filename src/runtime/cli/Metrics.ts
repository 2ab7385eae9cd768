/** `mccache metrics`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Connection from "./Connection.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"
import * as Survey from "./Survey.ts"
import type { Column, Table } from "./Table.ts"

type Answers = Survey.Survey["answers"]

const numbers = (...titles: ReadonlyArray<string>): ReadonlyArray<Column> =>
  titles.map((title) => ({ title, align: "right" }))

/** What is counted per namespace. */
export const namespacesTable = (answers: Answers): Table => ({
  columns: [
    { title: "Namespace" },
    { title: "Member" },
    ...numbers("Entries", "Size", "Lookups", "Hits", "Inserts", "Updates", "Deletes", "Evicts", "Expired"),
    ...numbers("Collisions"),
    { title: "State" }
  ],
  rows: answers.flatMap(({ answer, label }) =>
    Object.entries(answer.namespaces).map(([name, counted]) => [
      name,
      label,
      Show.count(counted.count),
      Show.bytes(counted.size),
      Show.count(counted.lookups),
      Show.percent(counted.lookups - counted.misses, counted.lookups),
      Show.count(counted.inserts),
      Show.count(counted.updates),
      Show.count(counted.deletes),
      Show.count(counted.evicts),
      Show.count(counted.expired),
      Show.count(counted.collisions),
      counted.caughtUp ? "caught up" : "catching up"
    ])
  ).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)
})

/** What is counted per member. */
export const membersTable = (answers: Answers): Table => ({
  columns: [
    { title: "Member" },
    ...numbers(
      "Datagrams in",
      "out",
      "Lost",
      "Repaired",
      "Given up",
      "Refused",
      "Propagation p50",
      "p99",
      "Memory",
      "CPU"
    )
  ],
  rows: answers.map(({ answer: { network, process, propagation, refused }, label }) => [
    label,
    Show.count(network.datagramsIn),
    Show.count(network.datagramsOut),
    Show.count(network.lost),
    Show.count(network.repaired),
    Show.count(network.abandoned),
    Show.count(Object.values(refused).reduce((total, each) => total + each, 0)),
    propagation.count === 0 ? "" : Show.millis(propagation.p50),
    propagation.count === 0 ? "" : Show.millis(propagation.p99),
    Show.bytes(process.residentBytes),
    Show.millis(process.cpuMillis)
  ])
})

export const command = Command.make(
  "metrics",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Only this namespace"), Argument.optional),
    ...Connection.flags,
    node: Connection.node
  },
  ({ name, node, ...connection }) =>
    Connection.observe(
      connection,
      Effect.fnUntraced(function*(member) {
        const survey = yield* Survey.of(member, Connection.bounds(connection, node))
        const chosen = Option.getOrUndefined(name)
        if (chosen !== undefined) yield* Survey.opened(survey, chosen)
        const answers = chosen === undefined ? survey.answers : survey.answers.map((each) => ({
          ...each,
          answer: { ...each.answer, ...only(each.answer, chosen) }
        }))
        if (connection.json) yield* Output.json({ answers, missing: survey.missing })
        else {
          const namespaces = namespacesTable(answers)
          if (namespaces.rows.length > 0) yield* Output.table(namespaces)
          yield* Output.line("")
          yield* Output.table(membersTable(answers))
        }
        yield* Survey.requireAll(survey)
      })
    )
).pipe(
  Command.withDescription("Print what the members counted: per namespace, and of the network"),
  Command.withShortDescription("Print the metrics of the members"),
  Command.withExamples([
    { command: "mccache metrics users", description: "Of one namespace, at all members" },
    { command: "mccache metrics --node web-1:4711 --json", description: "Everything that one member counts" }
  ])
)

const only = ({ namespaces, options }: Answers[number]["answer"], name: string) => ({
  namespaces: Object.fromEntries(Object.entries(namespaces).filter(([each]) => each === name)),
  options: Object.fromEntries(Object.entries(options).filter(([each]) => each === name))
})
