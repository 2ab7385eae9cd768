/**
 * The whole terminal for one program, and back: the other screen, no cursor, no line wrapping; whatever ends the program, the
 * terminal is left as it was found. A frame is written at once and over the last one, never over an empty screen, and the
 * terminals that can are told to show it only when it is whole: so it does not flicker.
 */
import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as Terminal from "effect/Terminal"
import { writeSync } from "node:fs"
import type { Line, Tone } from "./TopScreen.ts"

const enter = "\x1b[?1049h\x1b[?25l\x1b[?7l"
const leave = "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

const codes: { readonly [Of in Tone]: string } = {
  plain: "",
  title: "1",
  heading: "7",
  good: "32",
  warning: "33",
  bad: "1;31",
  faint: "2"
}

/** A line with its colours, or without. */
export const paint = (line: Line, colours: boolean): string =>
  line.map(({ text, tone }) => colours && codes[tone] !== "" ? `\x1b[${codes[tone]}m${text}\x1b[0m` : text).join("")

/** Text that puts the lines on the screen in place of what was there. */
export const frame = (lines: ReadonlyArray<Line>, colours: boolean): string =>
  `\x1b[?2026h\x1b[H${lines.map((line) => `${paint(line, colours)}\x1b[K`).join("\r\n")}\x1b[J\x1b[?2026l`

/** Has the screen for the scope, and restores it at its end, and when the process is ended without it. */
export const open: Effect.Effect<void, PlatformError.PlatformError, Terminal.Terminal | Scope.Scope> = Effect.gen(
  function*() {
    const terminal = yield* Terminal.Terminal
    let restored = false
    const restore = (): void => {
      if (restored) return
      restored = true
      try {
        writeSync(1, leave)
      } catch {
        // The terminal is gone.
      }
    }
    // A hangup ends the process without its scopes.
    const onHangup = (): void => process.exit(129)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        process.once("exit", restore)
        process.once("SIGHUP", onHangup)
      }),
      () =>
        Effect.sync(() => {
          process.off("exit", restore)
          process.off("SIGHUP", onHangup)
          restore()
        })
    )
    yield* terminal.display(enter)
  }
)
