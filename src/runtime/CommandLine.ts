/**
 * The `mccache` command: keys, the effective configuration, and the members, metrics and checksums of a running cluster,
 * which it joins for a moment as an observer.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import { version } from "../services/Member.ts"
import { doctor } from "./cli/Doctor.ts"
import { hops, mtu } from "./cli/Path.ts"
import { top } from "./cli/Top.ts"
import { McCache } from "./McCache.ts"
import * as Settings from "./Settings.ts"

const print = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, undefined, 2))

const key = Command.make("key", {}, () => Console.log(randomBytes(32).toString("base64url"))).pipe(
  Command.withDescription("Print a new key for MCCACHE_CRYPTO_KEY")
)

const config = Command.make("config", {}, () =>
  Effect.gen(function*() {
    const { configuration, origins, warnings } = yield* Settings.load()
    for (const warning of warnings) yield* Console.error(warning)
    const { cryptoKeys, ...shown } = configuration
    yield* print({ ...shown, cryptoKeys: `${Redacted.value(cryptoKeys).length} (hidden)`, origins })
  })).pipe(Command.withDescription("Print the effective configuration and where each value came from"))

const node = Flag.String("node").pipe(
  Flag.withDescription("Ask only this member, by id or host:pid"),
  Flag.optional
)
const name = Argument.String("name").pipe(Argument.withDescription("Only this namespace"), Argument.optional)

/** Joins the cluster for the time of a question. */
const observe = <A, E>(ask: (mccache: McCache["Service"]) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const mccache = yield* McCache
    yield* mccache.ready
    return yield* ask(mccache)
  }).pipe(Effect.provide(McCache.layer()))

const members = Command.make("members", {}, () => observe((mccache) => Effect.flatMap(mccache.members, print))).pipe(
  Command.withDescription("Print the members of the cluster")
)

const metrics = Command.make("metrics", { name, node }, (options) =>
  observe((mccache) =>
    Effect.flatMap(
      mccache.clusterMetrics({ name: Option.getOrUndefined(options.name), node: Option.getOrUndefined(options.node) }),
      print
    )
  )).pipe(Command.withDescription("Print the metrics of the members"))

const checksum = Command.make("checksum", { name, node }, (options) =>
  observe((mccache) =>
    Effect.flatMap(
      mccache.clusterChecksum({ name: Option.getOrUndefined(options.name), node: Option.getOrUndefined(options.node) }),
      print
    )
  )).pipe(Command.withDescription("Print the checksums of the members"))

const root = Command.make("mccache").pipe(
  Command.withDescription("Look at a McCache cluster"),
  Command.withSubcommands([key, config, members, metrics, checksum, mtu, hops, top, doctor])
)

/** Runs the command with the arguments of the process. */
export const run = Command.run(root, { version })
