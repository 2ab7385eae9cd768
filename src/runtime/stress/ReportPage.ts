import type { Outcome } from "./Outcome.ts"
export const html = (outcome: Outcome): string => JSON.stringify(outcome)
