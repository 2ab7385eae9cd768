/**
 * Text in the cells of a terminal: cut and padded to a width, and free of what could move the cursor. Names of namespaces
 * and hosts come from other members, so that nothing of them may be taken for an escape sequence.
 */
import * as CliOutput from "effect/cli/CliOutput"

/** What a terminal obeys, and what turns the direction of the text around. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** With a replacement character for each that is not to be shown. */
export const clean = (text: string): string => text.replace(unprintable, "\uFFFD")

/** The longest beginning that has so many cells, with an ellipsis in the last one where something was cut. */
export const cut = (text: string, cells: number): string => {
  if (cells <= 0) return ""
  if (CliOutput.displayWidth(text) <= cells) return text
  let kept = ""
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    const width = CliOutput.displayWidth(segment)
    if (used + width > cells - 1) break
    kept += segment
    used += width
  }
  return `${kept}…`
}

/** Exactly so many cells, cut or filled with blanks after the text, or before it. */
export const fit = (text: string, cells: number, align: "left" | "right" = "left"): string => {
  const short = cut(text, cells)
  const blanks = " ".repeat(Math.max(0, cells - CliOutput.displayWidth(short)))
  return align === "left" ? short + blanks : blanks + short
}
