/** What a namespace is opened with, as its replica needs it. */

/** 0 partial · 1 full · 2 invalidate. */
export type Mode = 0 | 1 | 2

/** Options of a namespace, resolved. */
export interface Options {
  readonly mode: Mode
  readonly collision: "tie" | "latest"
  readonly eviction: "updated" | "used"
  readonly cacheMax: number
  readonly cacheSizeBytes: number
  readonly tombstoneHorizonMillis: number
  readonly tombstonesMax: number
}
