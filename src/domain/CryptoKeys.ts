/**
 * Keys as text: urlsafe base64 of 32 bytes, the form that Fernet keys have, padded or not; several separated by commas.
 * The first seals, all open. Key material never stands in a message: what is wrong with a key is told by its place.
 */
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** The length of a key. */
export const keyBytes = 32

/** More keys than a rotation needs would make every datagram of a stranger expensive. */
export const keysMax = 8

/** @category models */
export type CryptoKeys = Redacted.Redacted<ReadonlyArray<Uint8Array>>

/**
 * A list of texts, or one text of several separated by commas, redacted or not; `undefined` when it is none of these.
 */
const texts = (input: unknown): ReadonlyArray<string> | undefined => {
  const plain = Redacted.isRedacted(input) ? Redacted.value(input) : input
  if (typeof plain === "string") return plain.split(",").map((text) => text.trim())
  if (!Array.isArray(plain)) return undefined
  const lists = plain.map(texts)
  return lists.every((list) => list !== undefined) ? lists.flat() : undefined
}

const bytes = (text: string): Uint8Array | undefined => Result.getOrUndefined(Base64Url.decode(text))

/** The keys that a text or a list of texts holds, or `undefined` when one of them is none: then ask `describe`. */
export const read = (input: unknown): CryptoKeys | undefined => {
  const keys = texts(input)?.map(bytes)
  if (keys === undefined || keys.length === 0 || keys.length > keysMax) return undefined
  const whole = keys.filter((key) => key !== undefined && key.length === keyBytes)
  return whole.length === keys.length
    ? Redacted.make(whole.filter((key) => key !== undefined), { label: "cryptoKey" })
    : undefined
}

/** What is wrong with keys, without showing them: `not shown: key 2 of 3 decodes to 31 bytes`. */
export const describe = (input: unknown): string => {
  const found = texts(input)
  if (found === undefined) return "not text"
  if (found.length > keysMax) return `not shown: ${found.length} keys`
  const wrong = found.findIndex((text) => bytes(text)?.length !== keyBytes)
  if (wrong === -1) return "not shown"
  const key = bytes(found[wrong])
  const problem = found[wrong] === ""
    ? "is empty"
    : key === undefined
    ? "is not urlsafe base64"
    : `decodes to ${key.length} bytes`
  return `not shown: key ${wrong + 1} of ${found.length} ${problem}`
}
