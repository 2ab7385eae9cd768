import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "memory", title: "memory", cases: () => [], run: async () => ({}) }
