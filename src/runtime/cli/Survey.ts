/** What the members of a cluster have open, and how: the first question of most commands. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Collision, Eviction, Mode } from "../../domain/Configuration.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import type { NamespaceOptions } from "../../domain/NamespaceOptions.ts"
import type { GatherOptions } from "../../services/Gather.ts"
import type { Member } from "../../services/Member.ts"
import type { MemberMetrics } from "../../services/Reports.ts"
import { type CommandFailed, failure, unanswered } from "./Failure.ts"

const Reported = Schema.Struct({
  mode: Mode,
  collision: Collision,
  eviction: Eviction,
  max: Schema.Int,
  size: Schema.Int,
  ttlMillis: Schema.Int,
  floor: Schema.Int,
  forget: Schema.Int
})
const Reports = Schema.Struct({
  namespaces: Schema.Record(Schema.String, Schema.Struct({ count: Schema.Finite, caughtUp: Schema.Boolean })),
  network: Schema.Struct({ datagramsIn: Schema.Finite, datagramsOut: Schema.Finite }),
  options: Schema.Record(Schema.String, Reported),
  members: Schema.Array(Schema.Struct({ member: Schema.String, label: Schema.String }))
})

/** A namespace as one member has it open. */
export interface Opened extends Schema.Schema.Type<typeof Reported> {
  readonly member: string
  readonly label: string
  readonly caughtUp: boolean
}

export interface Survey {
  readonly answers: ReadonlyArray<{ readonly member: string; readonly label: string; readonly answer: MemberMetrics }>
  /**
   * Labels of those that did not answer, or in a form that this version does not know, and of those that others know of and this
   * process never heard.
   */
  readonly missing: ReadonlyArray<string>
  /** By name, in the order of names; the members that caught up first. */
  readonly namespaces: ReadonlyMap<string, ReadonlyArray<Opened>>
}

/** Asks all members, or one, but not this process. */
export const of = (member: Member, options: GatherOptions): Effect.Effect<Survey, McCacheError> =>
  Effect.map(member.clusterMetrics(options), ({ answers, missing }) => {
    const others = answers.filter((each) => each.member !== member.id)
      .sort((a, b) => a.label < b.label ? -1 : 1)
    const known = new Set(member.members().map(({ id }) => id))
    const unheard = new Map<string, string>()
    const namespaces = new Map<string, Array<Opened>>()
    const understood: Array<typeof others[number]> = []
    const strange: Array<string> = []
    for (const each of others) {
      const { answer, label, member } = each
      const reports = Schema.decodeUnknownOption(Reports)(answer)
      if (Option.isNone(reports)) {
        strange.push(label)
        continue
      }
      understood.push(each)
      for (const { label, member } of reports.value.members) if (!known.has(member)) unheard.set(member, label)
      for (const [name, options] of Object.entries(reports.value.options)) {
        const opened = { ...options, member, label, caughtUp: answer.namespaces[name]?.caughtUp ?? false }
        const list = namespaces.get(name)
        if (list === undefined) namespaces.set(name, [opened])
        else list.push(opened)
      }
    }
    const sorted = [...namespaces].sort(([a], [b]) => a < b ? -1 : 1)
    return {
      answers: understood,
      missing: [...missing, ...strange, ...(options.node === undefined ? unheard.values() : [])],
      namespaces: new Map(
        sorted.map(([name, list]) => [name, list.sort((a, b) => Number(b.caughtUp) - Number(a.caughtUp))])
      )
    }
  })

/** The members that have a namespace open. When there are none, those that are open are named. */
export const opened = (survey: Survey, name: string): Effect.Effect<ReadonlyArray<Opened>, CommandFailed> => {
  const list = survey.namespaces.get(name)
  if (list !== undefined) return Effect.succeed(list)
  if (survey.missing.length > 0) return Effect.fail(unanswered(survey.missing))
  const names = [...survey.namespaces.keys()].map((each) => JSON.stringify(each))
  return Effect.fail(failure(
    "notFound",
    `Nobody has namespace ${JSON.stringify(name)} open; ${
      names.length === 0 ? "none is open." : `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}.`
    }`
  ))
}

/** The options that a write must have, and the clock that it must exceed. Fails when the members do not share the namespace. */
export const terms = (
  list: ReadonlyArray<Opened>,
  name: string,
  sizeMax: number
): Effect.Effect<{ readonly options: NamespaceOptions; readonly clock: number }, CommandFailed> => {
  const [first] = list
  const other = list.find((each) => separating.some((setting) => each[setting] !== first[setting]))
  if (other !== undefined) {
    return Effect.fail(failure(
      "failed",
      `${first.label} and ${other.label} have namespace ${
        JSON.stringify(name)
      } open with different options and ignore ` +
        "each other's writes: see mccache members, and open it with the same mode, collision and eviction everywhere."
    ))
  }
  const { collision, eviction, max, mode, ttlMillis } = first
  const size = Math.min(sizeMax, Math.max(...list.map((each) => each.size)))
  return Effect.succeed({
    options: { mode, collision, eviction, max, size, ttl: ttlMillis / 1_000 },
    clock: Math.max(...list.flatMap(({ floor, forget }) => [floor, forget]))
  })
}

const separating = ["mode", "collision", "eviction"] as const
const settings = [...separating, "max", "size", "ttlMillis"] as const

/** A setting of a namespace that is not the same at all members that have it open. */
export interface Difference {
  readonly namespace: string
  readonly setting: string
  readonly values: ReadonlyArray<{ readonly member: string; readonly value: string }>
}

export const differences = (survey: Survey): ReadonlyArray<Difference> =>
  [...survey.namespaces].flatMap(([namespace, list]) =>
    settings.filter((setting) => list.some((each) => each[setting] !== list[0][setting])).map((setting) => ({
      namespace,
      setting,
      values: list.map((each) => ({ member: each.label, value: String(each[setting]) }))
    }))
  )

/** Names members that did not answer, and ends with the code for it: after all else was printed. */
export const requireAll = (
  { missing }: { readonly missing: ReadonlyArray<string> }
): Effect.Effect<void, CommandFailed> => missing.length === 0 ? Effect.void : Effect.fail(unanswered(missing))
