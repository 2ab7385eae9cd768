/** An invariant (section 12 of the design) that was broken. */

const names = {
  1: "convergence",
  2: "no resurrection",
  3: "monotonic",
  4: "no invention",
  5: "newest wins",
  6: "bounds",
  7: "quiet",
  8: "freshness",
  9: "truthful waits",
  10: "isolation",
  11: "determinism"
} as const

/** The number of an invariant. */
export type Invariant = keyof typeof names

/** An invariant was broken. */
export class Violation extends Error {
  override readonly name = "Violation"
  readonly invariant: Invariant

  constructor(invariant: Invariant, message: string) {
    super(`Invariant ${invariant} (${names[invariant]}): ${message}`)
    this.invariant = invariant
  }
}
