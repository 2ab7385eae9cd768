/** How far a stress test is: a bar with live figures on a terminal, a plain line every few seconds elsewhere. */
import * as Effect from "effect/Effect"
import type { Moment } from "./Outcome.ts"
import type { Plan } from "./Plan.ts"
import type { Audience } from "./Run.ts"

/** Where it is told: standard error, so that standard output is the result alone. */
export interface Screen {
  readonly terminal: boolean
  readonly columns: () => number
  readonly write: (text: string) => void
}

const barColumns = 20
const plainMillis = 5_000

/** `━━━━━━━━────────────  40 %` */
export const bar = (share: number): string => {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barColumns)
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100)
  return `${"━".repeat(full)}${"─".repeat(barColumns - full)} ${String(percent).padStart(3)} %`
}

const count = (value: number): string => Math.round(value).toLocaleString("en-US")

/** What the members did between two moments and hold now. */
export const figures = (previous: Moment | undefined, moment: Moment): string => {
  const sum = (of: (sample: NonNullable<Moment["members"][number]>) => number, at: Moment | undefined): number =>
    (at?.members ?? []).reduce((total, sample) => total + (sample === undefined ? 0 : of(sample)), 0)
  const seconds = (moment.millis - (previous?.millis ?? 0)) / 1_000
  const rate = (sum(({ operations }) => operations, moment) - sum(({ operations }) => operations, previous)) / seconds
  const there = moment.members.filter((sample) => sample !== undefined)
  const entries = there.length === 0 ? 0 : sum(({ entries }) => entries, moment) / there.length
  return `${count(rate)} operations/s, ${count(entries)} entries, ${
    count(sum(({ outbox }) => outbox, moment))
  } waiting, ` +
    `${count(sum(({ lost }) => lost, moment))} lost, ${count(sum(({ repaired }) => repaired, moment))} repaired`
}

const wipe = "\r\u001b[K"

export const audience = (plan: Plan, screen: Screen): Audience & { readonly done: Effect.Effect<void> } => {
  let previous: Moment | undefined
  let told = 0
  const line = (text: string): Effect.Effect<void> =>
    Effect.sync(() => screen.write(screen.terminal ? `${wipe}${text}\n` : `${text}\n`))
  const status = (text: string): void => screen.write(`${wipe}${text.slice(0, Math.max(1, screen.columns() - 1))}`)
  return {
    phase: (text) => screen.terminal ? Effect.sync(() => status(text)) : line(text),
    started: (pids) => line(`processes ${pids.join(", ")}`),
    moment: (moment) =>
      Effect.sync(() => {
        if (screen.terminal) {
          status(`${bar(moment.millis / plan.durationMillis)}  ${figures(previous, moment)}`)
          previous = moment
        } else if (moment.millis - told >= plainMillis) {
          screen.write(`${Math.round(moment.millis / 1_000)} s: ${figures(previous, moment)}\n`)
          previous = moment
          told = moment.millis
        }
      }),
    done: Effect.sync(() => {
      if (screen.terminal) screen.write(wipe)
    })
  }
}
