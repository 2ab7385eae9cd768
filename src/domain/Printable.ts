/** Text of others, as it may be shown. */

/** What could move the cursor of a terminal or forge a line of a log, or hide or reorder what follows. */
export const unprintable = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu

/** Without what a terminal or a log would take for more than text, but for the characters `kept`. Of JSON it is the same JSON. */
export const escaped = (text: string, kept = ""): string =>
  text.replace(
    unprintable,
    (unit) => kept.includes(unit) ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
