/** Where a member's log goes: the program's own Effect logger, or the file that the configuration names. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { closeSync, openSync, writeSync } from "node:fs"
import * as McCacheError from "../domain/McCacheError.ts"
import type { Settings } from "./Settings.ts"

const formats = { json: Logger.formatJson, logfmt: Logger.formatLogFmt, pretty: Logger.formatSimple }

/**
 * The logger of a configuration. Without a file it is the program's own, at the program's own level unless one was set; a
 * file gets JSON lines unless a format was set. A file that cannot be opened stops the start; one that fills up later
 * harms nothing.
 */
export const layer = ({ configuration, origins }: Settings): Layer.Layer<never, McCacheError.McCacheError> => {
  const level = Layer.succeed(References.MinimumLogLevel, configuration.logLevel)
  const filename = configuration.logFilename
  if (filename === undefined) return origins.logLevel === "default" ? Layer.empty : level
  const format = formats[origins.logFormat === "default" ? "json" : configuration.logFormat]
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
