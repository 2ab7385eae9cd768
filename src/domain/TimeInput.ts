/**
 * How people give times to McCache: **a plain number is seconds**, in options and arguments as in `MCCACHE_CACHE_TTL`.
 * Everything else is read as Effect reads a `Duration.Input`: `"10 minutes"`, `Duration.minutes(10)`, `{ minutes: 10
 * }`, a bigint of nanoseconds. Mind the difference: where Effect takes a plain number, it means milliseconds.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as McCacheError from "./McCacheError.ts"

/** The longest finite time, a hundred years: `expiresAt` stays a safe integer. Use 0 for ever. */
export const millisMax = 100 * 365 * 86_400_000

const numeric = /^[+-]?(\d+(\.\d*)?|\.\d+)$/
const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

/**
 * The milliseconds that a time stands for, not rounded, or `undefined` when it is not a time. A plain number, or a text
 * that is one, counts in `unitMillis`. Infinite times are `Infinity`.
 */
export const read = (input: unknown, unitMillis = 1_000): number | undefined => {
  if (typeof input === "number") return Number.isNaN(input) ? undefined : input * unitMillis
  if (typeof input === "string" && numeric.test(input.trim())) return Number(input) * unitMillis
  if (!isDurationInput(input)) return undefined
  try {
    return Duration.toMillis(input)
  } catch {
    return undefined
  }
}

/** Texts and objects of the right kind; `Duration.toMillis` throws for the texts among them that it cannot read. */
const isDurationInput = (input: unknown): input is Duration.Input => {
  if (typeof input === "string" || typeof input === "bigint" || Duration.isDuration(input)) return true
  if (typeof input !== "object" || input === null) return false
  if (Array.isArray(input)) return input.length === 2 && input.every(isNumber)
  // An object without a unit would silently be zero, which is for ever.
  const names = Object.keys(input)
  return names.length > 0 && names.every((name) => units.includes(name)) && Object.values(input).every(isNumber)
}

const isNumber = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value)

/** What a time to live may be. */
export const ttlAccepted = "seconds from 0.001, or a duration such as \"10 minutes\", up to 100 years; 0 is for ever"

/**
 * The time to live in whole milliseconds, 0 for ever, or `undefined` when it is none. Fractions of a second are fine
 * down to a millisecond, and are rounded to one; an infinite duration is for ever.
 */
export const readTtl = (input: unknown): number | undefined => {
  const millis = read(input)
  if (millis === undefined || millis < 0) return undefined
  if (millis === 0 || millis === Infinity) return 0
  return millis < 1 || millis > millisMax ? undefined : Math.round(millis)
}

/**
 * The time to live that `set` and `getOrSet` were given, in whole milliseconds, 0 for ever. **A plain number is
 * seconds.** Throws `InvalidConfig` for a negative one, `NaN`, less than a millisecond, or what is no time at all.
 *
 * @since 0.1.0
 */
export const ttlMillis = (input: Duration.Input): number => {
  // The common case of `set`, without the checks that everything else needs.
  if (typeof input === "number" && input >= 0.001 && input <= millisMax / 1_000) return Math.round(input * 1_000)
  const millis = readTtl(input)
  if (millis === undefined) throw McCacheError.make("InvalidConfig", `ttl is ${show(input)}; accepted: ${ttlAccepted}.`)
  return millis
}

/** A value as it stands in a message, cut at 80 characters. */
export const show = (value: unknown): string => {
  const text = typeof value === "string" || (typeof value === "object" && value !== null && !Duration.isDuration(value))
    ? shown(value)
    : typeof value === "function"
    ? "a function"
    : String(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

const shown = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? "an object"
  } catch {
    return "an object"
  }
}
