/** Times on the command line: a plain number is seconds, as everywhere in McCache; `10s`, `250ms` and `"10 minutes"` are fine too. */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as TimeInput from "../../domain/TimeInput.ts"

const short = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/
const units: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The milliseconds that a text stands for; `undefined` when it is no time, or below 0. */
export const read = (text: string): number | undefined => {
  const match = short.exec(text.trim())
  const millis = match === null ? TimeInput.read(text) : Number(match[1]) * units[match[2]]
  return millis === undefined || !(millis >= 0 && millis <= TimeInput.millisMax) ? undefined : millis
}

/** A flag that takes a time. */
export const flag = (name: string): Flag.Flag<Duration.Duration> =>
  Flag.String(name).pipe(
    Flag.withMetavar("<time>"),
    Flag.filterMap(
      (text) => Option.map(Option.fromUndefinedOr(read(text)), Duration.millis),
      () => "seconds, or a time such as 250ms, 10s or \"10 minutes\""
    )
  )
