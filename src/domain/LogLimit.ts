/**
 * Bounds what others can make this member log: of each reason one line in `intervalMillis`. What is left out is counted, and
 * the count is told with the reason's next line, or when none comes, after the interval. Reasons are words of the code, so
 * that there are few.
 */

export interface LogLimit {
  readonly intervalMillis: number
  readonly reasons: Map<string, { toldMillis: number; leftOut: number }>
}

export const make = (intervalMillis = 1_000): LogLimit => ({ intervalMillis, reasons: new Map() })

/** Whether a line may be logged now: how many were left out since the last one, or `undefined` when this one is, too. */
export const pass = ({ intervalMillis, reasons }: LogLimit, reason: string, nowMillis: number): number | undefined => {
  const known = reasons.get(reason)
  if (known === undefined) {
    reasons.set(reason, { toldMillis: nowMillis, leftOut: 0 })
    return 0
  }
  // A clock that ran back must not silence anything.
  if (Math.abs(nowMillis - known.toldMillis) < intervalMillis) {
    known.leftOut++
    return undefined
  }
  const { leftOut } = known
  known.toldMillis = nowMillis
  known.leftOut = 0
  return leftOut
}

/** What was left out and is not told by a later line: each reason once, with how many. */
export const due = (
  { intervalMillis, reasons }: LogLimit,
  nowMillis: number
): ReadonlyArray<{ readonly reason: string; readonly leftOut: number }> => {
  const told: Array<{ readonly reason: string; readonly leftOut: number }> = []
  for (const [reason, known] of reasons) {
    if (known.leftOut === 0 || Math.abs(nowMillis - known.toldMillis) < intervalMillis) continue
    told.push({ reason, leftOut: known.leftOut })
    known.toldMillis = nowMillis
    known.leftOut = 0
  }
  return told
}
