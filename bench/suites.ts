import { suite as join } from "./suites/join.ts"
import { suite as latency } from "./suites/latency.ts"
import { suite as local } from "./suites/local.ts"
import { suite as memory } from "./suites/memory.ts"
import { suite as rest } from "./suites/rest.ts"
import { suite as throughput } from "./suites/throughput.ts"
import type { Suite } from "./support/Suite.ts"

/** In the order in which they run. */
export const suites: ReadonlyArray<Suite> = [local, memory, latency, throughput, join, rest]
