import type { Suite } from "../support/Suite.ts"

export const suite: Suite = { name: "local", title: "local", cases: () => [], run: async () => ({}) }
