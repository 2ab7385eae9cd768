/** Prints the trace hash of one run of the swarm, for a comparison between processes: `node trace.ts SEED`. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Plan from "../swarm/Plan.ts"
import * as Run from "../swarm/Run.ts"

const run = Run.run(Plan.make(Number(process.argv[2])))
const { trace } = await Effect.runPromise(run.pipe(Effect.scoped, Effect.provide(TestClock.layer())))
console.log(trace)
