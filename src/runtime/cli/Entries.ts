/** `mccache get`, `set` and `delete`: one entry, without transferring the namespace that it is in. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Key } from "../../domain/Key.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import * as Stamp from "../../domain/Stamp.ts"
import { attempt } from "../../services/Attempt.ts"
import type { CacheCore } from "../../services/CacheCore.ts"
import type { Member } from "../../services/Member.ts"
import * as ValueCodec from "../../services/ValueCodec.ts"
import * as Connection from "./Connection.ts"
import { type CommandFailed, failure } from "./Failure.ts"
import * as Keyed from "./Keyed.ts"
import * as Lookup from "./Lookup.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"
import * as Survey from "./Survey.ts"
import * as Times from "./Times.ts"

const codec = ValueCodec.structured()

/** The value of a copy. Values of a Schema are shown as it encodes them: nobody knows the Schema here. */
export const valueOf = (
  copy: { readonly value?: Parameters<typeof codec.decode>[0] | undefined }
): Option.Option<unknown> => {
  if (copy.value === undefined) return Option.none()
  try {
    return Option.some(codec.decode(copy.value))
  } catch {
    return Option.none()
  }
}

// ---------------------------------------------------------------------------------------------------- get

const get = Command.make(
  "get",
  { name: Keyed.name, key: Keyed.key, number: Keyed.number, ...Connection.flags, node: Connection.node },
  ({ key: text, name, node, number, ...connection }) =>
    Effect.gen(function*() {
      const key = yield* Keyed.read(text, number)
      yield* Connection.observe(
        connection,
        Effect.fnUntraced(function*(member) {
          const bounds = Connection.bounds(connection, node)
          const survey = yield* Survey.of(member, bounds)
          const opened = yield* Survey.opened(survey, name)
          const { missing, newest } = yield* Lookup.of(member, opened, { name, key, timeout: bounds.timeout })
          const unheard = [...survey.missing, ...missing]
          if (newest?.kind !== 0) return yield* Lookup.absent(key, name, unheard)
          const value = valueOf(newest)
          if (Option.isNone(value)) {
            return yield* failure("failed", `What ${newest.label} holds under key ${Show.key(key)} is no value.`)
          }
          if (connection.json) {
            yield* Output.json({
              namespace: name,
              key,
              value: Show.json(value.value),
              member: newest.label,
              writer: newest.writer,
              writtenAt: Show.instant(Stamp.toMillis(newest.clock)),
              expiresAt: Show.instant(newest.expiresAt),
              bytes: newest.value?.length,
              crc: newest.crc
            })
          } else {
            yield* Output.text(
              typeof value.value === "string" ? value.value : JSON.stringify(Show.json(value.value), undefined, 2)
            )
          }
          // In mode 1 whoever answered speaks for all; else somebody may hold something newer.
          if (opened[0].mode !== 1) yield* Survey.requireAll({ missing: unheard })
        })
      )
    })
).pipe(
  Command.withDescription(
    "Print the value of a key, texts as they are and everything else as JSON. In mode 1 one member is asked; in modes 0 and 2 all, and the newest is printed"
  ),
  Command.withShortDescription("Print the value of a key"),
  Command.withExamples([
    { command: "mccache get users ada", description: "The value of the text key ada" },
    { command: "mccache get users 42 --number --json", description: "Of the number 42, with who wrote it when" }
  ])
)

// ---------------------------------------------------------------------------------------------------- writing

/**
 * Writes to a namespace as its members have it, above everything that they hold of the key, and waits until they have applied
 * it. `write` gets what is held, and the cache to write to.
 */
const change = <A>(
  connection: Connection.Connection,
  { key, name }: { readonly name: string; readonly key: Key },
  write: (
    held: Lookup.Lookup,
    core: CacheCore<unknown>,
    mode: number
  ) => Effect.Effect<A, McCacheError | CommandFailed>
) =>
  Connection.observe(
    connection,
    Effect.fnUntraced(function*(member: Member) {
      const bounds = Connection.bounds(connection)
      const survey = yield* Survey.of(member, bounds)
      const opened = yield* Survey.opened(survey, name)
      const terms = yield* Survey.terms(opened, name, member.configuration.cacheSizeBytes)
      const held = yield* Lookup.of(member, opened, { name, key, timeout: bounds.timeout })
      const clock = Math.max(terms.clock, held.newest?.clock ?? 0)
      const core = yield* attempt(() => member.observer.detached(name, terms.options, clock))
      const written = yield* write({ ...held, missing: [...survey.missing, ...held.missing] }, core, opened[0].mode)
      const { members } = yield* member.flush({ timeout: bounds.timeout })
      return { written, members, missing: survey.missing }
    })
  )

const applied = (members: number): string => `${members} ${members === 1 ? "member has" : "members have"} applied it.`

/** A value as it was typed: JSON where it is, else the text itself. */
export const typed = (text: string, asText: boolean): unknown => {
  if (asText) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const set = Command.make(
  "set",
  {
    name: Keyed.name,
    key: Keyed.key,
    value: Argument.String("value").pipe(Argument.withDescription("JSON, or else a text")),
    number: Keyed.number,
    text: Flag.Boolean("text").pipe(
      Flag.withDescription("The value is a text, also if it reads as JSON"),
      Flag.withDefault(false)
    ),
    ttl: Times.flag("ttl").pipe(
      Flag.withDescription("How long it lives; 0 is for ever (default: the namespace's)"),
      Flag.optional
    ),
    ...Connection.flags
  },
  ({ key: given, name, number, text, ttl, value, ...connection }) =>
    Effect.gen(function*() {
      const key = yield* Keyed.read(given, number)
      const { members, missing, written: replaced } = yield* change(connection, { name, key }, (held, core, mode) => {
        const was = held.newest?.kind === 0
        if (mode === 2) {
          return Effect.fail(failure(
            "failed",
            `Namespace ${
              JSON.stringify(name)
            } has mode 2 (invalidate): values never travel, and a set would only make ` +
              "others drop the key. Use mccache delete for that."
          ))
        }
        // Only who holds it would take it.
        if (mode === 0 && !was) return Effect.fail(Lookup.absent(key, name, held.missing))
        return Effect.as(
          attempt(() => core.set(key, typed(value, text), { ttl: Option.getOrUndefined(ttl) })),
          was
        )
      })
      yield* connection.json
        ? Output.json({ namespace: name, key, replaced, members })
        : Output.line(`${replaced ? "Replaced" : "Set"} ${Show.key(key)}; ${applied(members)}`)
      yield* Survey.requireAll({ missing })
    })
).pipe(
  Command.withDescription(
    "Set a key everywhere, and wait until every member has applied it. A namespace with a Schema takes what its Schema encodes to. In mode 0 only members that hold the key take it; in mode 2 values do not travel and set is refused"
  ),
  Command.withShortDescription("Set a key"),
  Command.withExamples([
    {
      command: "mccache set users ada '{\"name\":\"Ada\"}' --ttl 10m",
      description: "A value of plain data, for ten minutes"
    },
    { command: "mccache set flags beta true", description: "The boolean true" },
    { command: "mccache set flags beta true --text", description: "The text true" }
  ])
)

const remove = Command.make(
  "delete",
  { name: Keyed.name, key: Keyed.key, number: Keyed.number, ...Connection.flags },
  ({ key: given, name, number, ...connection }) =>
    Effect.gen(function*() {
      const key = yield* Keyed.read(given, number)
      const { members, missing } = yield* change(connection, { name, key }, (held, core) =>
        held.newest?.kind === 0
          ? attempt(() => core.delete(key))
          : Effect.fail(Lookup.absent(key, name, held.missing)))
      yield* connection.json
        ? Output.json({ namespace: name, key, members })
        : Output.line(`Deleted ${Show.key(key)}; ${applied(members)}`)
      yield* Survey.requireAll({ missing })
    })
).pipe(
  Command.withDescription("Delete a key everywhere, and wait until every member has applied it"),
  Command.withShortDescription("Delete a key"),
  Command.withExamples([{ command: "mccache delete users ada", description: "Gone everywhere" }])
)

export const commands = [get, set, remove] as const
