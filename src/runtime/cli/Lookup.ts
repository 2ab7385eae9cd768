/**
 * Where a key is held, and the newest that is. In mode 1 all members hold the same, so that one that has caught up and holds
 * the key answers for all, and a large value travels once; in the other modes each holds its own, and all are asked.
 */
import * as Effect from "effect/Effect"
import type { Key } from "../../domain/Key.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import * as Stamp from "../../domain/Stamp.ts"
import type { Member } from "../../services/Member.ts"
import type { Held } from "../../services/Observer.ts"
import type * as Connection from "./Connection.ts"
import { failure, unanswered } from "./Failure.ts"
import * as Show from "./Show.ts"
import type { Opened } from "./Survey.ts"

/** A record of the key, with the member that told it. */
export type Copy = Held["copies"][number] & { readonly label: string }

export interface Lookup {
  /** The newest record: an entry (`kind` 0), or what is left of one. */
  readonly newest: Copy | undefined
  readonly missing: ReadonlyArray<string>
}

export const of = Effect.fnUntraced(function*(
  member: Member,
  opened: ReadonlyArray<Opened>,
  { key, name, timeout }: {
    readonly name: string
    readonly key: Key
    readonly timeout: ReturnType<typeof Connection.bounds>["timeout"]
  }
): Effect.fn.Return<Lookup, McCacheError> {
  const missing: Array<string> = []
  let newest: Copy | undefined
  const ask = Effect.fnUntraced(function*({ member: node }: Opened) {
    const asked = yield* member.observer.copies({ name, key, node, timeout })
    missing.push(...asked.missing)
    for (const { answer, label } of asked.answers) {
      for (const copy of answer.copies) {
        if (newest === undefined || Stamp.compare(copy, newest) > 0) newest = { ...copy, label }
      }
    }
  })
  if (opened[0].mode !== 1) yield* Effect.forEach(opened, ask, { concurrency: "unbounded", discard: true })
  else for (const each of opened) if (newest?.kind !== 0) yield* ask(each)
  return { newest, missing }
})

/** Why there is nothing to be had: nobody holds the key, or who may hold it did not answer. */
export const absent = (key: Key, name: string, missing: ReadonlyArray<string>) =>
  missing.length > 0
    ? unanswered(missing)
    : failure("notFound", `Nobody holds key ${Show.key(key)} in namespace ${JSON.stringify(name)}.${hint(key)}`)

/** The shell knows only texts. */
export const hint = (key: Key): string =>
  typeof key === "string" && key.trim() !== "" && Number.isFinite(Number(key))
    ? " That is a text; a key that is a number needs --number."
    : ""
