/** `mccache watch`: what members write, as it is heard. Nothing is asked for but the names of the namespaces. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Write } from "../../domain/Operation.ts"
import * as Stamp from "../../domain/Stamp.ts"
import type { Member } from "../../services/Member.ts"
import * as Connection from "./Connection.ts"
import { valueOf } from "./Entries.ts"
import * as Output from "./Output.ts"
import * as Show from "./Show.ts"
import * as Survey from "./Survey.ts"
import * as Times from "./Times.ts"

/** What is printed of a write. */
export interface Seen {
  readonly type: "set" | "invalidate" | "delete" | "clear"
  /** `null`: all namespaces. */
  readonly namespace: string | null
  readonly key: string | number | null
  readonly value: unknown
  /** `host:pid` of the writer, or its id when it is not known (any more). */
  readonly member: string
  readonly writer: string
  /** The writer's clock when it was written, Unix milliseconds. */
  readonly writtenMillis: number
  /** Unix milliseconds; 0 for never. */
  readonly expiresMillis: number
}

export const seen = (write: Write, labelOf: (id: string) => string | undefined): Seen => ({
  // In mode 2 only the news travels.
  type: write._tag === "CLEAR"
    ? "clear"
    : write._tag === "DEL"
    ? "delete"
    : write.value === undefined
    ? "invalidate"
    : "set",
  namespace: write.namespace === "" ? null : write.namespace,
  key: write._tag === "CLEAR" ? null : write.key,
  value: write._tag === "PUT" ? Show.json(Option.getOrUndefined(valueOf(write))) : null,
  member: labelOf(write.writer) ?? write.writer.slice(0, 8),
  writer: write.writer,
  writtenMillis: Stamp.toMillis(write.clock),
  expiresMillis: write._tag === "PUT" ? write.expiresAt : 0
})

const valueCharactersMax = 100

/** One line for people. */
export const line = ({ key, member, namespace, type, value, writtenMillis }: Seen): string =>
  [
    Show.timeOfDay(writtenMillis),
    type.padEnd(10),
    Show.plain(namespace ?? "(all namespaces)"),
    ...key === null ? [] : [Show.key(key)],
    ...type === "set" ? [Show.brief(value, valueCharactersMax)] : [],
    `by ${Show.plain(member)}`
  ].join("  ")

/** Writes that wait to be printed, and their values. More are counted and not kept: a slow terminal must not take the memory. */
const waitingMax = 65_536
const waitingBytesMax = 67_108_864

const valueBytes = (write: Write): number => write._tag === "PUT" ? write.value?.length ?? 0 : 0

const watch = Effect.fnUntraced(function*(member: Member, namespace: string | undefined, json: boolean) {
  let unprinted = 0
  let waitingBytes = 0
  const labels = new Map<string, string>()
  const labelOf = (id: string): string | undefined => {
    if (!labels.has(id)) { for (const { id, label } of member.members()) labels.set(id, label) }
    return labels.get(id)
  }
  const writes = Stream.callback<Write>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          member.observer.overhear((write) => {
            if (namespace !== undefined && write.namespace !== namespace && write.namespace !== "") return
            const bytes = valueBytes(write)
            // One value alone may be larger.
            const fits = waitingBytes === 0 || waitingBytes + bytes <= waitingBytesMax
            if (fits && Queue.offerUnsafe(queue, write)) waitingBytes += bytes
            else unprinted++
          })
        ),
        (stop) => Effect.sync(stop)
      ),
    { bufferSize: waitingMax, strategy: "dropping" }
  )
  yield* Stream.runForEach(writes, (write) => {
    waitingBytes -= valueBytes(write)
    const { expiresMillis, writtenMillis, ...rest } = seen(write, labelOf)
    return json
      ? Output.jsonLine({ ...rest, writtenAt: Show.instant(writtenMillis), expiresAt: Show.instant(expiresMillis) })
      : Output.line(line({ ...rest, expiresMillis, writtenMillis }))
  }).pipe(
    Effect.ensuring(Effect.suspend(() =>
      unprinted === 0
        ? Effect.void
        : Output.remark(`${unprinted} changes came faster than they could be printed, and are not shown.`)
    ))
  )
})

export const command = Command.make(
  "watch",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Only this namespace"), Argument.optional),
    for: Times.flag("for").pipe(Flag.withDescription("End after this time (default: when interrupted)"), Flag.optional),
    ...Connection.flags
  },
  ({ for: duration, name, ...connection }) =>
    Connection.observe(
      connection,
      Effect.fnUntraced(function*(member) {
        const namespace = Option.getOrUndefined(name)
        const survey = yield* Survey.of(member, Connection.bounds(connection))
        const names = [...survey.namespaces.keys()]
        const what = namespace === undefined ? "all namespaces" : `namespace ${JSON.stringify(namespace)}`
        const there = names.length === 0 ? "none is open" : names.map((each) => JSON.stringify(each)).join(", ")
        const unopened = namespace !== undefined && !names.includes(namespace)
        yield* Output.remark(
          `Watching ${what} of ${survey.answers.length + survey.missing.length} members${
            unopened ? `; nobody has it open yet, there are: ${there}` : ""
          }.`
        )
        const watching = watch(member, namespace, connection.json)
        yield* Option.isNone(duration)
          ? watching
          : Effect.timeoutOrElse(watching, { duration: duration.value, orElse: () => Effect.void })
      })
    )
).pipe(
  Command.withDescription(
    "Print sets, deletes and clears of all members as they are heard, until interrupted. What each member does by itself, evicting and expiring, is not heard"
  ),
  Command.withShortDescription("Print changes as they happen"),
  Command.withExamples([
    { command: "mccache watch users", description: "Changes of one namespace" },
    { command: "mccache watch --for 10s --json | jq .key", description: "Ten seconds, one JSON value a line" }
  ])
)
