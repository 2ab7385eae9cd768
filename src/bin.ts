#!/usr/bin/env node
/** The `mccache` command. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as CommandLine from "./runtime/CommandLine.ts"

// What is printed is for other programs, too: the log must not stand in it.
CommandLine.run.pipe(
  Effect.provide(NodeServices.layer),
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)
