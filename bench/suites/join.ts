import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "join", title: "join", cases: () => [], run: async () => ({}) }
