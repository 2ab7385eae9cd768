/**
 * Keys: strings and numbers, as in a `Map`: `1` and `"1"` differ, `0` and `-0` do not.
 *
 * @since 0.1.0
 */

/** A cache key. @since 0.1.0 @category models */
export type Key = string | number

/** The longest key, in UTF-8 bytes: keys travel whole in listings, so that they may not be arbitrarily large. */
export const keyBytesMax = 4_096

/**
 * Why a value cannot be a key, or `undefined` when it can. The empty string is refused: it is nearly always a missing
 * identifier. A string with a lone surrogate is refused because two such keys would become the same UTF-8.
 */
export const problem = (key: unknown): string | undefined => {
  if (typeof key === "string") {
    if (key.length === 0) return "the empty string"
    if (key.length * 3 > keyBytesMax && bytes(key) > keyBytesMax) {
      return `a string of ${bytes(key)} UTF-8 bytes, more than ${keyBytesMax}`
    }
    return key.isWellFormed() ? undefined : "a string with a lone surrogate"
  }
  if (typeof key === "number") return Number.isFinite(key) ? undefined : `the number ${key}`
  if (key === null) return "null"
  return `a value of type ${typeof key}`
}

/** Whether a key and so many bytes beside it take at most `bytesMax`: without counting the key's, unless it may matter. */
export const fits = (key: Key, otherBytes: number, bytesMax: number): boolean =>
  (typeof key === "number" ? 8 : 3 * key.length) + otherBytes <= bytesMax || bytes(key) + otherBytes <= bytesMax

/** The size that a key is charged with: its UTF-8 bytes, or eight for a number. */
export const bytes = (key: Key): number => {
  if (typeof key === "number") return 8
  let total = key.length
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index)
    if (unit > 0x7f) total += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return total
}
