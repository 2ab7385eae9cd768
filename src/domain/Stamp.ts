/**
 * Stamps: the total order of writes. A stamp is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks and
 * Consistent Snapshots in Globally Distributed Databases", 2014) and the id of the member that wrote.
 *
 * The clock is one safe integer: milliseconds since 2025-01-01 UTC times 4,096, plus a counter. It lasts until 2094.
 */

/** A member id: 32 lower-case hexadecimal digits, 16 random bytes, one per process and never reused. */
export type MemberId = string

/** @category models */
export interface Stamp {
  readonly clock: number
  readonly writer: MemberId
}

/** 2025-01-01T00:00:00Z in Unix milliseconds. */
export const epochMillis = 1_735_689_600_000

/** Counter values within one millisecond. */
export const ticksPerMilli = 4_096

/** The writer of a tombstone that a collision left: it exceeds every member's id (rule 3). No member may have it. */
export const collisionWriter: MemberId = "f".repeat(32)

/** The smallest stamp: nothing was ever written under it. */
export const zero: Stamp = { clock: 0, writer: "0".repeat(32) }

/** The clock value of a physical time, with counter 0. */
export const fromMillis = (unixMillis: number): number =>
  Math.max(0, Math.floor(unixMillis - epochMillis)) * ticksPerMilli

/** The physical time of a clock value, in Unix milliseconds. */
export const toMillis = (clock: number): number => Math.floor(clock / ticksPerMilli) + epochMillis

/** Negative, zero or positive as `self` is older than, the same as or newer than `that`. */
export const compare = (self: Stamp, that: Stamp): number =>
  self.clock !== that.clock
    ? self.clock - that.clock
    : self.writer < that.writer
    ? -1
    : self.writer > that.writer
    ? 1
    : 0

/** Whether `self` is at or below the clock value `line`: floors and forget lines cover whole clock values. */
export const isAtOrBelow = (self: Stamp, line: number): boolean => self.clock <= line

/** Whether a clock value is one that can travel. */
export const isClock = (clock: number): boolean => Number.isSafeInteger(clock) && clock >= 0

/** For messages: `2026-11-23T12:00:00.000Z+17@1f0c…`. */
export const format = (self: Stamp): string =>
  `${new Date(toMillis(self.clock)).toISOString()}+${self.clock % ticksPerMilli}@${self.writer.slice(0, 8)}`
