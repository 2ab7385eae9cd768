import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "latency", title: "latency", cases: () => [], run: async () => ({}) }
