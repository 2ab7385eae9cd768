/**
 * McCache in an Effect program: typed values, a cached computation, and a stream of what changes.
 *
 * Run: `node examples/effect.ts` (in a clone of the repository after `npm run build`).
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Schema, Stream } from "effect"
import { McCache } from "mccache"

/** The Schema of what the namespace holds: a member that was sent anything else treats it as absent. */
const User = Schema.Struct({ name: Schema.String, since: Schema.Date })

class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", { id: Schema.String }) {}

/** Stands for a database: it takes a while, and may fail. */
const load = Effect.fn("load")(function*(id: string) {
  yield* Effect.sleep("50 millis")
  if (id === "nobody") return yield* new UserNotFound({ id })
  yield* Console.log(`loaded user ${id}`)
  return { name: "Grace", since: new Date("1906-12-09") }
})

const program = Effect.gen(function*() {
  const mccache = yield* McCache
  const users = yield* mccache.cache("users", { value: User, ttl: "10 minutes" })
  // Caught up with the members that are already there, or there is nobody else.
  yield* mccache.ready

  // What changes here from now on, whoever changes it. It starts at once, and misses nothing of what follows.
  yield* users.changes.pipe(
    Stream.runForEach(({ key, origin, type }) => Console.log(`change: ${origin} ${type} of ${key}`)),
    Effect.forkScoped({ startImmediately: true })
  )

  // Readable on the next line, and at every other member a moment later.
  yield* users.set("ada", { name: "Ada", since: new Date("1815-12-10") })
  const ada = yield* users.get("ada")
  yield* Console.log(Option.match(ada, {
    onNone: () => "nobody is there",
    onSome: ({ name, since }) => `hit: ${name}, since ${since.getUTCFullYear()}`
  }))

  // Both want the same user at the same time: it is loaded once. Later calls find it, at any member.
  const [first, second] = yield* Effect.all(
    [users.getOrSet("grace", load("grace")), users.getOrSet("grace", load("grace"))],
    { concurrency: "unbounded" }
  )
  yield* Console.log(`computed once for both: ${first.name} and ${second.name}`)

  // The error of the computation is the error of `getOrSet`, and a failure is not cached.
  yield* users.getOrSet("nobody", load("nobody")).pipe(
    Effect.catchTag("UserNotFound", ({ id }) => Console.log(`not found and not cached: ${id}`))
  )

  yield* users.delete("ada")
  // Succeeds when every member has applied what was written above.
  yield* mccache.flush()
  yield* Console.log(`left: ${[...(yield* users.keys)].join(", ")}`)
}).pipe(Effect.scoped)

/** Opens at the start, says farewell at the end. Members of another cluster or group ignore each other. */
const McCacheLive = McCache.layer({
  cluster: "example-effect",
  interface: "127.0.0.1",
  multicastIp: process.env.MCCACHE_MULTICAST_IP ?? "224.0.0.3:4501"
})

program.pipe(Effect.provide(McCacheLive), NodeRuntime.runMain)
