import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "throughput", title: "throughput", cases: () => [], run: async () => ({}) }
