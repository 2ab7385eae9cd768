/** `mccache checksum`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Key } from "../../domain/Key.ts"
import type { Member } from "../../services/Member.ts"
import * as Connection from "./Connection.ts"
import * as Keyed from "./Keyed.ts"
import * as Lookup from "./Lookup.ts"
import * as Output from "./Output.ts"
import * as Survey from "./Survey.ts"
import type { Table } from "./Table.ts"

/** The checksums of one namespace, or of one key of it. A member that does not hold the key has none. */
export interface Checksums {
  readonly namespace: string
  readonly checksums: ReadonlyArray<{ readonly member: string; readonly checksum: string | null }>
  /** Whether they are the same at all members that answered. In modes 0 and 2 they need not be. */
  readonly equal: boolean
}

export const table = (all: ReadonlyArray<Checksums>): Table => ({
  columns: [{ title: "Namespace" }, { title: "Member" }, { title: "Checksum" }, { title: "Equal" }],
  rows: all.flatMap(({ checksums, equal, namespace }) =>
    checksums.map(({ checksum, member }) => [namespace, member, checksum ?? "(not held)", equal ? "yes" : "no"])
  )
})

const gather = Effect.fnUntraced(function*(
  member: Member,
  opened: ReadonlyArray<Survey.Opened>,
  options: ReturnType<typeof Connection.bounds> & { readonly name: string; readonly key: Key | undefined }
) {
  const { answers, missing } = yield* member.clusterChecksum(options)
  const holders = new Set(opened.map((each) => each.member))
  const checksums = answers.filter((answer) => holders.has(answer.member))
    .sort((a, b) => a.label < b.label ? -1 : 1)
    .map(({ answer, label }) => ({ member: label, checksum: answer ?? null }))
  const equal = checksums.every(({ checksum }) => checksum === checksums[0].checksum)
  return { all: { namespace: options.name, checksums, equal } satisfies Checksums, missing }
})

export const command = Command.make(
  "checksum",
  {
    name: Keyed.name.pipe(Argument.optional),
    key: Keyed.key.pipe(Argument.optional),
    number: Keyed.number,
    ...Connection.flags,
    node: Connection.node
  },
  ({ key: text, name, node, number, ...connection }) =>
    Effect.gen(function*() {
      const key = Option.isNone(text) ? undefined : yield* Keyed.read(text.value, number)
      yield* Connection.observe(
        connection,
        Effect.fnUntraced(function*(member) {
          const bounds = Connection.bounds(connection, node)
          const survey = yield* Survey.of(member, bounds)
          const chosen = Option.getOrUndefined(name)
          if (chosen !== undefined) yield* Survey.opened(survey, chosen)
          const namespaces = [...survey.namespaces].filter(([each]) => chosen === undefined || each === chosen)
          const gathered = yield* Effect.forEach(
            namespaces,
            ([each, opened]) => gather(member, opened, { ...bounds, name: each, key }),
            { concurrency: 4 }
          )
          const all = gathered.map((each) => each.all)
          const missing = [...new Set([...survey.missing, ...gathered.flatMap((each) => each.missing)])]
          const held = key === undefined ||
            all.some(({ checksums }) => checksums.some(({ checksum }) => checksum !== null))
          if (key !== undefined && !held) {
            return yield* Lookup.absent(key, chosen ?? "", missing)
          }
          yield* connection.json ? Output.json({ namespaces: all, missing }) : Output.table(table(all))
          yield* Survey.requireAll({ missing })
        })
      )
    })
).pipe(
  Command.withDescription(
    "Print the checksums of what the members hold: of all namespaces, one, or one key. Equal checksums mean equal entries; while writes are under way they differ for a moment, and in modes 0 and 2 members need not hold the same"
  ),
  Command.withShortDescription("Print the checksums of the members"),
  Command.withExamples([
    { command: "mccache checksum users", description: "Whether all members hold the same users" },
    { command: "mccache checksum users 42 --number", description: "Who holds the same under the key 42, a number" }
  ])
)
