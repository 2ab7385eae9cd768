/** Keys, values, times and sizes as the command shows them. */
import type { Key } from "../../domain/Key.ts"
import * as Printable from "../../domain/Printable.ts"

/** Text that a terminal may be given: what comes from others is shown and does nothing. */
export const plain = (text: string): string => Printable.escaped(text)

/** A key: numbers as they are, and texts in quotes where they would read as something else. */
export const key = (key: Key): string => {
  if (typeof key === "number") return String(key)
  const ambiguous = key.trim() !== key || key.startsWith("\"") || !Number.isNaN(Number(key)) || plain(key) !== key
  return ambiguous ? plain(JSON.stringify(key)) : key
}

/** Numbers before texts, each in its own order. */
export const byKey = (a: Key, b: Key): number => {
  if (typeof a === "number") return typeof b === "number" ? a - b : -1
  if (typeof b === "number") return 1
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * A value as JSON can say it. Dates are ISO 8601, bigints and numbers that are none are texts, maps are lists of pairs, sets are
 * lists, bytes are base64, errors keep name and message; what contains itself is cut there.
 */
export const json = (value: unknown, within: ReadonlyArray<object> = []): unknown => {
  if (value === undefined) return null
  if (typeof value === "bigint") return String(value)
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (typeof value !== "object" || value === null) return value
  if (within.includes(value)) return "[circular]"
  const path = [...within, value]
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString()
  if (value instanceof Map) return Array.from(value, ([name, item]) => [json(name, path), json(item, path)])
  if (value instanceof Set) return Array.from(value, (item) => json(item, path))
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")
  }
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64")
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return value.map((item) => json(item, path))
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, json(item, path)]))
}

/** A value on one line, cut at so many characters. */
export const brief = (value: unknown, charactersMax: number): string => {
  const text = plain(JSON.stringify(json(value)))
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text
}

/** `12,345`. */
export const count = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 1 })

const binary = ["B", "KiB", "MiB", "GiB", "TiB"]

/** `1.5 MiB`. */
export const bytes = (value: number): string => {
  let scaled = value
  let unit = 0
  while (scaled >= 1_024 && unit < binary.length - 1) {
    scaled /= 1_024
    unit++
  }
  return `${count(unit === 0 ? scaled : Math.round(scaled * 10) / 10)} ${binary[unit]}`
}

/** `1.5 ms`, `300 s`; hours and more stay seconds, as settings are written. */
export const millis = (value: number): string =>
  value >= 1_000 ? `${count(Math.round(value / 100) / 10)} s` : `${count(Math.round(value * 10) / 10)} ms`

/** A share of 1, in percent; nothing where there is nothing to divide. */
export const percent = (part: number, whole: number): string =>
  whole === 0 ? "" : `${(100 * part / whole).toFixed(1)} %`

/** The time of day in the zone of this process, for lines that come one after the other. */
export const timeOfDay = (unixMillis: number): string => {
  const at = new Date(unixMillis)
  const two = (part: number) => String(part).padStart(2, "0")
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${
    String(at.getMilliseconds()).padStart(3, "0")
  }`
}

/** A Unix time as ISO 8601; `null` for none. */
export const instant = (unixMillis: number): string | null =>
  unixMillis === 0 ? null : new Date(unixMillis).toISOString()
