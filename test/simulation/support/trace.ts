/** Prints the trace hash of one swarm run, for a comparison between processes: `node trace.ts SEED SECONDS`. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as Swarm from "./Swarm.ts"

const [seed, seconds] = process.argv.slice(2).map(Number)
const result = await Effect.runPromise(
  Swarm.run(seed, seconds).pipe(Effect.scoped, Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([]))))
)
console.log(result.trace)
