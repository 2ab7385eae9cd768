import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "rest", title: "rest", cases: () => [], run: async () => ({}) }
