/** Where a member's log goes: the program's own Effect logger, or the file that the configuration names. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { closeSync, openSync, writeSync } from "node:fs"
import type { Configuration } from "../domain/Configuration.ts"
import * as McCacheError from "../domain/McCacheError.ts"

/** The logger of a configuration. A file that cannot be opened stops the start; one that fills up later harms nothing. */
export const layer = (configuration: Configuration): Layer.Layer<never, McCacheError.McCacheError> => {
  const level = Layer.succeed(References.MinimumLogLevel, configuration.logLevel)
  const filename = configuration.logFilename
  if (filename === undefined) return Layer.empty
  const format = configuration.logFormat === "json" ? Logger.formatJson : Logger.formatLogFmt
  const logger = Effect.acquireRelease(
    Effect.try({
      try: () => openSync(filename, "a"),
      catch: (cause) =>
        McCacheError.make(
          "InvalidConfig",
          `MCCACHE_LOG_FILENAME is ${JSON.stringify(filename)}, which cannot be written: ${cause}`
        )
    }),
    (file) => Effect.sync(() => closeSync(file))
  ).pipe(Effect.map((file) =>
    Logger.make((options) => {
      try {
        writeSync(file, `${format.log(options)}\n`)
      } catch {
        // A full disk must not stop the cache.
      }
    })
  ))
  return Layer.merge(level, Logger.layer([logger]))
}
