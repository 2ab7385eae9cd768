/**
 * Values of the stress test. A value says who wrote it and as the how manieth, and the rest of it follows from that, so that
 * everybody can tell a genuine one from a damaged or mixed one without having seen it written.
 */

/** Who wrote it and when: `<member>.<sequence>`. */
export type Tag = string

/** More than any value needs from any place at which it begins. */
const filler = Array.from({ length: 12_000 }, (_, index) => ((index * 2_654_435_761) >>> 7).toString(36)).join("")
const placesOfFiller = 32_749

const rest = (tag: Tag, bytes: number): string => {
  const from = [...tag].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % placesOfFiller, 7)
  return filler.slice(from, from + bytes)
}

/** A value of about so many bytes. */
export const make = (tag: Tag, bytes: number): string => `${tag}:${bytes}:${rest(tag, bytes)}`

/** Whose and which value it is; `undefined` when nobody wrote it so. */
export const tagOf = (value: unknown): Tag | undefined => {
  if (typeof value !== "string") return undefined
  const [, tag, bytes] = /^(\d+\.\d+):(\d+):/.exec(value) ?? []
  return tag !== undefined && value === make(tag, Number(bytes)) ? tag : undefined
}
