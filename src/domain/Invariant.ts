/**
 * Assertions that stay on in production. A broken invariant is a defect of McCache, never of its input: it throws, and
 * the supervisor of the actor that broke it restarts the actor and rebuilds what it owned.
 */

/** The defect that a broken invariant raises. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation"
}

/** Throws `InvariantViolation` unless the condition holds. The message is only built on failure when it is a function. */
export function check(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantViolation(typeof message === "string" ? message : message())
}
