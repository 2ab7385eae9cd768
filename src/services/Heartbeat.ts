/**
 * When a member announces itself: every `heartbeatMillis`, and sooner when something changed that the others wait for. Where a
 * heartbeat tells of all namespaces it only comes early; else pulses between the heartbeats tell what changed. They put no
 * heartbeat off, so that digests have their turns however many namespaces are opened.
 */
import type { NamespaceSummary } from "../domain/Operation.ts"
import * as Summaries from "./Summaries.ts"

export interface Heartbeat {
  /** Has the others told soon of what changed in a namespace; what changes together is told together. */
  readonly hurry: () => void
  /** Whether it is time for a heartbeat. */
  readonly isDue: () => boolean
  readonly beat: () => void
  /** Sends a heartbeat besides the regular ones. */
  readonly beatNow: () => void
  /** Tells what changed, if it is time. */
  readonly onDue: () => void
  readonly nextDue: () => number
}

export const make = (host: {
  readonly ticks: () => number
  readonly heartbeatMillis: number
  readonly summaries: Summaries.Summaries
  readonly send: (namespaces: ReadonlyArray<NamespaceSummary>) => void
}): Heartbeat => {
  const { heartbeatMillis, send, summaries, ticks } = host
  let due = ticks() + heartbeatMillis
  let changesDue = Infinity

  const beatNow = (): void => {
    send(summaries.heartbeat())
    changesDue = ticks() + summaries.delayMillis()
  }

  return {
    hurry: () => {
      const soon = ticks() + Summaries.hurryMillis
      if (summaries.fit()) due = Math.min(due, soon)
      else changesDue = Math.min(changesDue, soon)
    },
    isDue: () => ticks() >= due,
    beat: () => {
      due = ticks() + heartbeatMillis
      beatNow()
    },
    beatNow,
    onDue: () => {
      if (ticks() < changesDue) return
      const changed = summaries.changed()
      if (changed.length > 0) send(changed)
      changesDue = ticks() + summaries.delayMillis()
    },
    nextDue: () => Math.min(due, changesDue)
  }
}
