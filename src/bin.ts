#!/usr/bin/env node
/** The `mccache` command. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as CommandLine from "./runtime/CommandLine.ts"

CommandLine.run.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
