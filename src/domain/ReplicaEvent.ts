/** The events that a replica is the fold of, and what each did. */
import type { Key } from "./Key.ts"
import type { Packed } from "./Packed.ts"
import type { Cause } from "./Record.ts"
import type { MemberId } from "./Stamp.ts"

/** Where an event comes from. `fill`: what `getOrSet` computed here, stamped before its computation began. */
export type Origin = "local" | "remote" | "repair" | "fill"

export interface Put {
  readonly _tag: "Put"
  readonly key: Key
  readonly clock: number
  readonly writer: MemberId
  /** Unix milliseconds; 0 is never. */
  readonly expiresAt: number
  /** As its writer told it; `undefined` of what is written here: it is summed when somebody asks. */
  readonly crc: number | undefined
  /** Absent in mode 2, where only the news travels. */
  readonly value: Packed | undefined
  readonly origin: Origin
}

export type Event =
  | Put
  | {
    readonly _tag: "Del"
    readonly key: Key
    readonly clock: number
    readonly writer: MemberId
    readonly origin: Origin
    /** A repaired tombstone keeps its cause and, for `expiry`, its time. */
    readonly cause?: Cause | undefined
    readonly expiresAt?: number | undefined
  }
  | { readonly _tag: "Clear"; readonly clock: number; readonly writer: MemberId; readonly origin: Origin }

/** What an event did. */
export type Outcome =
  | "stored"
  | "deleted"
  | "cleared"
  | "collided"
  /** The record held is as new or newer. */
  | "superseded"
  /** At or below the floor, or below the forget line without a record. */
  | "forgotten"
  /** Too far ahead of this member's clock. */
  | "refused"
  /** Modes 0 and 2: the key is not held here. */
  | "unheld"
  /** Mode 2: what was held is old. */
  | "invalidated"
