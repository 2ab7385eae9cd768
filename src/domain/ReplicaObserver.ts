/** Who is told, inside the fold, what an event did to the records of a replica. */
import type { Key } from "./Key.ts"
import type { Entry, Tombstone } from "./Record.ts"
import type { Event, Origin, Outcome, Put } from "./ReplicaEvent.ts"
import type { MemberId } from "./Stamp.ts"

/** Why an entry is not there any more. */
export type Removal = "delete" | "expire" | "evict" | "collision" | "clear" | "repair" | "invalidate"

/** Told, inside the fold, what happened. `clock` is that of the cause, 0 when there is none. */
export interface Observer {
  /** An entry, which is still what it was, gives way to a newer value of its key: `put` follows. */
  readonly replaced: (entry: Entry, by: Put) => void
  /** An entry has the value of a write; `isNew`: none gave way. */
  readonly put: (entry: Entry, isNew: boolean, origin: Origin) => void
  readonly removed: (entry: Entry, reason: Removal, clock: number, origin: Origin) => void
  /** A tombstone had to go: by budget, by age, by repair, for what is not held here, or for a collision. */
  readonly forgot?: ((tombstone: Tombstone) => void) | undefined
  /** The floor rose: what was at or below it is gone. */
  readonly cleared?: ((clock: number, origin: Origin) => void) | undefined
  /** Two members wrote the key under one clock value: `writer` is whose record stays, `collisionWriter` for nobody's. */
  readonly collided: (key: Key, clock: number, origin: Origin, writer: MemberId) => void
  /** For witnesses: every event, when it was folded or was not. */
  readonly folded?: ((event: Event, outcome: Outcome) => void) | undefined
}
