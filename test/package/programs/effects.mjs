/** An Effect program with all doors: a member on the real network, and two in a simulated cluster. Prints what it saw. */
import { Effect, Logger, Schema } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { McCache } from "mccache"
import { Cluster } from "mccache/testing"

class User extends Schema.Class("User")({ name: Schema.String }) {}

const real = Effect.gen(function*() {
  const mccache = yield* McCache
  const users = yield* mccache.cache("users", { value: User })
  yield* users.set("ada", new User({ name: "Ada" }))
  const tag = yield* users.set("", new User({ name: "none" })).pipe(
    Effect.catchTag("McCacheError", (error) => Effect.succeed(error.reason._tag))
  )
  return { user: users.getUnsafe("ada") instanceof User, tag }
}).pipe(Effect.provide(McCache.layer({ cluster: "package", interface: "127.0.0.1" })))

const simulated = Effect.gen(function*() {
  const cluster = yield* Cluster.make({ seed: 1, faults: { loss: 0.1 } })
  const a = yield* cluster.join("a")
  const b = yield* cluster.join("b")
  yield* cluster.advance("1 second")
  const writer = yield* a.mccache.cache("n")
  const reader = yield* b.mccache.cache("n")
  yield* writer.set("x", 1)
  yield* cluster.advance("1 second")
  return reader.getUnsafe("x")
}).pipe(Effect.scoped, Effect.provide(TestClock.layer()))

// The standard output is for what it saw.
const run = (program) => Effect.runPromise(program.pipe(Effect.provideService(Logger.LogToStderr, true)))

console.log(JSON.stringify({ ...(await run(real)), simulated: await run(simulated) }))
