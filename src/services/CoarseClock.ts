/**
 * How lookups read the clock. A lookup takes less time than looking at the clock does, so a runtime may let lookups that
 * follow each other closely share one look, within one callback. Whether an entry that expires soon has expired is
 * decided by the exact time all the same (`RecordTable.glanceMarginMillis`).
 */
import * as Context from "effect/Context"

/** Makes, of an exact clock in whole milliseconds, one that may lag. */
export type Coarsen = (exact: () => number) => () => number

/** Exact unless a runtime provides something else: simulations see every millisecond. @category services */
export const CoarseClock: Context.Reference<Coarsen> = Context.Reference("mccache/services/CoarseClock", {
  defaultValue: (): Coarsen => (exact) => exact
})
