/** Runs one case and writes its figures to the file descriptor 3, as JSON. */
import { writeSync } from "node:fs"
import { type Case, type Figures, Skipped, type Suite } from "./Suite.ts"

export type Told =
  | { readonly figures: Figures }
  | { readonly skipped: string }
  | { readonly failed: string }

const [file, text] = process.argv.slice(2)
const { suite } = await import(file) as { readonly suite: Suite }
const one = JSON.parse(text) as Case

const told: Told = await suite.run(one).then(
  (figures): Told => ({ figures }),
  (error: unknown): Told => {
    if (error instanceof Skipped) return { skipped: error.message }
    return { failed: error instanceof Error ? error.stack ?? error.message : String(error) }
  }
)
writeSync(3, JSON.stringify(told))
// A case that left something running is over all the same.
process.exit(0)
