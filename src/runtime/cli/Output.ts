/** What the command prints: JSON for programs, tables for people, remarks on the standard error stream. */
import { TerminalCapabilities } from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { styleText } from "node:util"
import * as Printable from "../../domain/Printable.ts"
import * as Table from "./Table.ts"

export const json = (value: unknown): Effect.Effect<void> =>
  Console.log(Printable.escaped(JSON.stringify(value, undefined, 2), "\n"))

/** One value a line, for what goes on. */
export const jsonLine = (value: unknown): Effect.Effect<void> => Console.log(Printable.escaped(JSON.stringify(value)))

export const line = (text: string): Effect.Effect<void> => Console.log(text)

/** Not the answer itself: programs that read the answer do not see it. */
export const remark = (text: string): Effect.Effect<void> => Console.error(Printable.escaped(text))

/** A text that a member holds: as it is for programs, and on a terminal without what that would take for a command. */
export const text = (text: string): Effect.Effect<void> =>
  Effect.flatMap(
    TerminalCapabilities,
    ({ canAnimate }) => Console.log(canAnimate ? Printable.escaped(text, "\n\t") : text)
  )

/** Styles text where the standard output is a terminal that may be coloured. */
export const styled = (
  format: Parameters<typeof styleText>[0]
): Effect.Effect<(text: string) => string> =>
  Effect.map(
    TerminalCapabilities,
    ({ canColor }) => (text) => canColor ? styleText(format, text, { validateStream: false }) : text
  )

export const table = (table: Table.Table): Effect.Effect<void> =>
  Effect.flatMap(styled("bold"), (bold) => Console.log(Table.render(table, bold).join("\n")))
