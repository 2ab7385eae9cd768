/** The members as this one sees them, and questions to all or one of them. */
import * as Effect from "effect/Effect"
import type { Protocol } from "../domain/Configuration.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import type { Request } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import type { MemberId } from "../domain/Stamp.ts"
import { attempt } from "./Attempt.ts"
import { closedError } from "./CacheCore.ts"
import type { Housekeeper } from "./Housekeeper.ts"
import type { Destination, Multicaster } from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"
import type { Network } from "./Network.ts"
import { timeoutMillis, type WaitOptions } from "./Waits.ts"

/** A member as this one sees it. @category models */
export interface MemberInfo {
  readonly id: MemberId
  /** `host:pid`, of a member in a worker thread `host:pid#thread`. */
  readonly label: string
  readonly host: string
  readonly pid: number
  /** Node's `threadId` of the worker thread that it is in; 0 is the main thread. */
  readonly thread: number
  readonly address: string
  readonly version: string
  readonly state: "self" | "joining" | "ready" | "suspect" | "lagging"
  /** Datagrams of ours that it has not settled yet. */
  readonly lag: number
  /** Its clock minus ours, milliseconds. */
  readonly clockSkewMillis: number
  /** Where its namespaces have other options than ours of the same name: `mode`, `collision` or `eviction` separate them. */
  readonly differences: ReadonlyArray<MemberDifference>
}

/** An option of a namespace that another member has differently. @category models */
export interface MemberDifference extends NamespaceOptions.Difference {
  readonly namespace: string
}

/** Answers of several members. @category models */
export interface Gathered<A> {
  readonly answers: ReadonlyArray<{ readonly member: MemberId; readonly label: string; readonly answer: A }>
  /** Labels of the members that did not answer in time. */
  readonly missing: ReadonlyArray<string>
}

export interface GatherOptions extends WaitOptions {
  /** Only this namespace. */
  readonly name?: string | undefined
  /** Only this member, by id or the beginning of it, or by label. */
  readonly node?: string | undefined
}

export interface Gather {
  readonly members: () => ReadonlyArray<MemberInfo>
  /** Asks the chosen members at once and collects what comes within the time. */
  readonly gather: <A>(
    options: GatherOptions,
    local: () => A,
    build: (request: number) => Request
  ) => Effect.Effect<Gathered<A>, McCacheError.McCacheError>
  /** Asks the chosen members at once, each by `ask`; `undefined` stands for no answer within the time. */
  readonly collect: <A>(
    options: GatherOptions,
    ask: (member: MemberInfo, millis: number) => Effect.Effect<{ readonly answer: A } | undefined>
  ) => Effect.Effect<Gathered<A>, McCacheError.McCacheError>
  /** A member's answer as it came; `undefined` when none came in time. */
  readonly request: (
    member: Destination,
    build: (request: number) => Request,
    millis: number
  ) => Effect.Effect<Uint8Array | undefined>
  /** Makes the chosen member start a namespace, or all, anew. */
  readonly reset: (
    node: string,
    namespace: string | undefined,
    local: () => void
  ) => Effect.Effect<void, McCacheError.McCacheError>
}

export interface Host {
  readonly self: MemberLabel.MemberLabel & { readonly id: MemberId; readonly version: string }
  readonly protocol: Protocol
  readonly network: Network["Service"]
  readonly multicaster: Multicaster
  readonly housekeeper: Housekeeper
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly closed: () => boolean
}

export const make = ({ closed, housekeeper, multicaster, namespaces, network, protocol, self }: Host): Gather => {
  const members = (): ReadonlyArray<MemberInfo> => {
    const lagging = new Set(multicaster.lagging())
    const others = [...housekeeper.membership.members.values()].map((member): MemberInfo => ({
      id: member.id,
      label: MemberLabel.of(member),
      host: member.host,
      pid: member.pid,
      thread: member.thread,
      address: member.address,
      version: member.version,
      state: member.suspect ? "suspect" : lagging.has(member.id) ? "lagging" : member.ready ? "ready" : "joining",
      lag: multicaster.lagOf(member.id) ?? 0,
      clockSkewMillis: member.offsetMillis,
      differences: [...namespaces.values()].flatMap((namespace) => {
        const theirs = member.summaries.get(namespace.name)
        return theirs === undefined
          ? []
          : NamespaceOptions.differences(namespace, theirs).map((each) => ({ namespace: namespace.name, ...each }))
      })
    }))
    return [
      {
        ...self,
        label: MemberLabel.of(self),
        address: network.self(),
        state: "self",
        lag: 0,
        clockSkewMillis: 0,
        differences: []
      },
      ...others
    ]
  }

  const select = (node: string | undefined, name: string | undefined): ReadonlyArray<MemberInfo> => {
    if (closed()) throw closedError()
    if (name !== undefined) NamespaceOptions.requireName(name)
    const all = members()
    if (node === undefined) return all
    const chosen = node === "" ? [] : all.filter(({ id, label }) => id.startsWith(node) || label === node)
    if (chosen.length === 0) {
      throw McCacheError.make(
        "InvalidConfig",
        `There is no member ${JSON.stringify(node)}; there are ${all.map(({ label }) => label).join(", ")}.`
      )
    }
    return chosen
  }

  const request: Gather["request"] = (to, build, millis) =>
    Effect.callback<Uint8Array | undefined>((resume) => {
      housekeeper.ask(to, build, (reply) => resume(Effect.succeed(reply)))
    }).pipe(Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed(undefined) }))

  /** The answer, as JSON; `undefined` when none came in time. */
  const ask = (
    member: MemberInfo,
    build: (request: number) => Request,
    millis: number
  ): Effect.Effect<string | undefined> =>
    Effect.map(
      request(member, build, millis),
      (reply) => reply === undefined ? undefined : OperationCodec.replies.report.decode(reply)?.json
    )

  const collect: Gather["collect"] = (options, askOne) =>
    Effect.gen(function*() {
      const chosen = yield* attempt(() => select(options.node, options.name))
      const millis = yield* attempt(() => timeoutMillis(options.timeout, protocol.gatherTimeoutMillis))
      const all = yield* Effect.forEach(
        chosen,
        (member) => Effect.map(askOne(member, millis), (answered) => ({ member, answered })),
        { concurrency: "unbounded" }
      )
      return {
        answers: all.flatMap(({ answered, member }) =>
          answered === undefined ? [] : [{ member: member.id, label: member.label, answer: answered.answer }]
        ),
        missing: all.flatMap(({ answered, member }) => answered === undefined ? [member.label] : [])
      }
    })

  return {
    members,
    collect,
    request,
    gather: <A>(options: GatherOptions, local: () => A, build: (request: number) => Request) =>
      collect(options, (member, millis) =>
        member.state === "self"
          ? Effect.sync(() => ({ answer: local() }))
          : ask(member, build, millis).pipe(
            Effect.map((json) => json === undefined ? undefined : { answer: (JSON.parse(json) ?? undefined) as A }),
            // A member of another version may answer what this one cannot read: it did not answer.
            Effect.catchCause(() => Effect.succeed(undefined))
          )),
    reset: (node, namespace, local) =>
      Effect.gen(function*() {
        for (const member of yield* attempt(() => select(node, namespace))) {
          if (member.state === "self") {
            local()
            continue
          }
          const build = (request: number): Request => ({ _tag: "RESET", request, namespace })
          if ((yield* ask(member, build, protocol.gatherTimeoutMillis)) === undefined) {
            return yield* McCacheError.make("AckTimeout", `Member ${member.label} did not answer the clear: try again.`)
          }
        }
      })
  }
}
