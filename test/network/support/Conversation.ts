/** What the driver and a member say to each other: JSON, one message a line. */
import type { open } from "../../../src/standalone.ts"

export type Options = NonNullable<Parameters<typeof open>[0]>

/** Clock and writer. The driver orders them by itself. */
export type Stamp = readonly [clock: number, writer: string]

export interface Question {
  readonly id: number
  readonly name: string
  readonly args: ReadonlyArray<unknown>
}

/**
 * What a member did or saw, in the order in which it did.
 *
 * - `set`: it wrote a value, by its digest, under the stamp.
 * - `gone`: it deleted or cleared what it held under the stamp.
 * - `read`: it reads a value under the stamp, of which it says the digest and the cache's own checksum.
 * - `miss`: it reads nothing.
 * - `change`: the cache told of a change by `on("change")`.
 * - `event`: the cluster event `clock`: by how much it corrects its clock, and by how much it is late itself.
 */
export type Fact =
  | readonly ["set", key: string, stamp: Stamp, digest: string]
  | readonly ["gone", key: string, stamp: Stamp]
  | readonly ["read", key: string, stamp: Stamp, digest: string]
  | readonly ["miss", key: string]
  | readonly ["change", key: string, type: string, stamp: Stamp]
  | readonly ["event", type: string, detail: string]

/** What a member holds, read by `peek` and `metadata` in one turn. */
export interface Held {
  readonly key: string
  readonly stamp: Stamp
  readonly crc: number
  readonly digest: string
}

export type Line =
  | { readonly started: string }
  | { readonly facts: ReadonlyArray<Fact> }
  | { readonly id: number; readonly value?: unknown; readonly error?: string }

/** How a member works on its own: random operations, and how it looks at what it holds. */
export interface Work {
  readonly seed: number
  readonly keys: number
  /** Milliseconds between two operations. */
  readonly apertureMillis: number
  /** Shares of all operations; the rest reads. */
  readonly sets: number
  readonly deletes: number
  readonly clears: number
  /** Bytes of a value. */
  readonly bytesMin: number
  readonly bytesMax: number
}
