/** `mccache keys`. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { Key } from "../../domain/Key.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import type * as Repair from "../../domain/Repair.ts"
import * as Stamp from "../../domain/Stamp.ts"
import type { Member } from "../../services/Member.ts"
import * as Connection from "./Connection.ts"
import { unanswered } from "./Failure.ts"
import * as Keyed from "./Keyed.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"
import * as Survey from "./Survey.ts"

/** All entries, each once and under its newest stamp, in the order of keys. What was deleted since is gone. */
export const merge = (lists: ReadonlyArray<ReadonlyArray<Repair.Item>>): ReadonlyArray<Repair.Item> => {
  const newest = new Map<Key, Repair.Item>()
  for (const item of lists.flat()) {
    const known = newest.get(item.key)
    if (known === undefined || Stamp.compare(item, known) > 0) newest.set(item.key, item)
  }
  return [...newest.values()].filter(({ kind }) => kind === 0).sort((a, b) => Show.byKey(a.key, b.key))
}

/** What members list: in mode 1 the first that can, in the other modes all of them. */
const list = Effect.fnUntraced(function*(
  member: Member,
  opened: ReadonlyArray<Survey.Opened>,
  { name, timeout }: { readonly name: string } & Pick<ReturnType<typeof Connection.bounds>, "timeout">
): Effect.fn.Return<
  { readonly lists: ReadonlyArray<ReadonlyArray<Repair.Item>>; readonly missing: ReadonlyArray<string> },
  McCacheError
> {
  const lists: Array<ReadonlyArray<Repair.Item>> = []
  const missing: Array<string> = []
  const ask = Effect.fnUntraced(function*({ label, member: node }: Survey.Opened) {
    const { answers } = yield* member.observer.listings({ name, node, timeout })
    const listed = answers.find(({ answer }) => answer.status === "ok")
    if (listed === undefined) missing.push(label)
    else lists.push(listed.answer.items)
  })
  if (opened[0].mode !== 1) yield* Effect.forEach(opened, ask, { concurrency: "unbounded", discard: true })
  else for (const each of opened) if (lists.length === 0) yield* ask(each)
  return { lists, missing }
})

export const command = Command.make(
  "keys",
  { name: Keyed.name, ...Connection.flags, node: Connection.node },
  ({ name, node, ...connection }) =>
    Connection.observe(
      connection,
      Effect.fnUntraced(function*(member) {
        const bounds = Connection.bounds(connection, node)
        const survey = yield* Survey.of(member, bounds)
        const opened = yield* Survey.opened(survey, name)
        const { lists, missing } = yield* list(member, opened, { name, timeout: bounds.timeout })
        if (lists.length === 0) return yield* unanswered([...survey.missing, ...missing])
        const items = merge(lists)
        if (connection.json) {
          yield* Output.json(items.map(({ bytes, clock, key, writer }) => ({
            key,
            bytes,
            writer,
            writtenAt: Show.instant(Stamp.toMillis(clock))
          })))
        } else if (items.length > 0) yield* Output.line(items.map(({ key }) => Show.key(key)).join("\n"))
        if (opened[0].mode !== 1) yield* Survey.requireAll({ missing: [...survey.missing, ...missing] })
      })
    )
).pipe(
  Command.withDescription(
    "Print the keys of a namespace, one a line, numbers first. Texts that would read as something else are in quotes. In mode 1 one member is asked; in modes 0 and 2 all are"
  ),
  Command.withShortDescription("Print the keys of a namespace"),
  Command.withExamples([
    { command: "mccache keys users | wc -l", description: "How many there are" },
    { command: "mccache keys users --json", description: "With sizes, writers and times" }
  ])
)
