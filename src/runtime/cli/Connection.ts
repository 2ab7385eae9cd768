/**
 * The cluster that a command looks at: the flags that find it, and the member that this process is for the time of a
 * question. It opens no namespace, holds nothing, and says farewell when the command ends or is interrupted.
 */
import * as Flag from "effect/cli/Flag"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { McCacheError } from "../../domain/McCacheError.ts"
import * as Members from "../../services/Member.ts"
import type { Member } from "../../services/Member.ts"
import * as HostProcessNode from "../HostProcessNode.ts"
import * as Open from "../Open.ts"
import * as Settings from "../Settings.ts"
import * as ClusterFlags from "./ClusterFlags.ts"
import { type CommandFailed, failure } from "./Failure.ts"
import * as Times from "./Times.ts"

export const flags = {
  ...ClusterFlags.flags,
  timeout: Times.flag("timeout").pipe(
    Flag.withDescription("How long to wait for answers (default 2 s, for writes 5 s)"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
}

/** Chooses one member, or those whose id begins so. */
export const node = Flag.String("node").pipe(
  Flag.withDescription("Ask only this member: its id, the beginning of it, or host:pid"),
  Flag.optional
)

export interface Connection extends ClusterFlags.Given {
  readonly timeout: Option.Option<Duration.Duration>
  readonly json: boolean
}

/** What bounds a question, as `clusterMetrics` takes it. */
export const bounds = (
  { timeout }: Connection,
  node: Option.Option<string> = Option.none()
): { readonly timeout: Duration.Duration | undefined; readonly node: string | undefined } => ({
  timeout: Option.getOrUndefined(timeout),
  node: Option.getOrUndefined(node)
})

/** Opens a member with nothing open, for the scope, and waits until it knows the others. */
export const open = Effect.fnUntraced(function*(
  connection: Connection
): Effect.fn.Return<Member, McCacheError, Scope.Scope> {
  const { configuration } = yield* Settings.load(ClusterFlags.options(connection))
  const { layer } = yield* Open.network(configuration, {})
  const context = yield* Layer.build(Layer.merge(layer, HostProcessNode.layer))
  const member = yield* Members.make(configuration).pipe(Effect.provide(context))
  yield* member.ready
  return member
})

/** Joins the cluster for the time of a question. Fails when nobody is there. */
export const observe = <A, E, R>(
  connection: Connection,
  ask: (member: Member) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | McCacheError | CommandFailed, Exclude<R, Scope.Scope>> =>
  Effect.scoped(Effect.gen(function*() {
    const member = yield* open(connection)
    if (member.members().length === 1) return yield* nobody(member)
    return yield* ask(member)
  }))

const nobody = ({ configuration }: Member): CommandFailed => {
  const { cluster, multicastGroup: { address, port } } = configuration
  return failure(
    "notFound",
    `No member of cluster ${
      JSON.stringify(cluster)
    } answers at ${address}:${port}, interface ${configuration.interface}. ` +
      "Members have the same cluster name, key, group and interface: see mccache config, and --cluster, --multicast-ip, --interface."
  )
}
