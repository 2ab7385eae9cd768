/** The events that a replica is the fold of. */
import type { Key } from "./Key.ts"
import type { Cause } from "./Record.ts"
import type { MemberId } from "./Stamp.ts"

/** Where an event comes from. `fill`: what `getOrSet` computed here, stamped before its computation began. */
export type Origin = "local" | "remote" | "repair" | "fill"

export type Event =
  | {
    readonly _tag: "Put"
    readonly key: Key
    readonly clock: number
    readonly writer: MemberId
    /** Unix milliseconds; 0 is never. */
    readonly expiresAt: number
    readonly crc: number
    /** Absent in mode 2, where only the news travels. */
    readonly value: Uint8Array | undefined
    readonly origin: Origin
  }
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
