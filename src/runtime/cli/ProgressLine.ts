/** A line on stderr that is written over and over, and is gone at the end. Where stderr is no terminal there is none. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Cells from "./Cells.ts"

/** No terminal is narrower in practice: what would wrap could not be written over. */
const cellsMax = 78

/** What shows the text, for the scope. */
export const make: Effect.Effect<(text: string) => Effect.Effect<void>, never, Stdio.Stdio | Scope.Scope> = Effect.gen(
  function*() {
    const stdio = yield* Stdio.Stdio
    if (!(yield* stdio.stderrIsTerminal)) return () => Effect.void
    // Progress that cannot be shown is no reason to stop.
    const write = (text: string) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr()))
    yield* Effect.addFinalizer(() => write("\r\x1b[K"))
    return (text: string) => write(`\r${Cells.cut(Cells.clean(text), cellsMax)}\x1b[K`)
  }
)
