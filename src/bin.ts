#!/usr/bin/env node
/** The `mccache` command. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as CommandLine from "./runtime/CommandLine.ts"

// Whoever reads the output has gone, as `mccache watch | head` does: end as when interrupted, with a farewell to the cluster.
process.stdout.on("error", () => process.emit("SIGINT"))

CommandLine.run.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
