/** Where a member's log goes, and in which form: the program's own Effect logger, or what the configuration says. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type * as McCacheError from "../domain/McCacheError.ts"
import * as LogFile from "./LogFile.ts"
import type { Settings } from "./Settings.ts"

/** Other members say of themselves what they like: nothing of it may move the cursor of who reads the log. */
const printable = (text: string): string =>
  text.replace(/\p{Cc}/gu, (unit) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`)

const shown = (value: unknown): string => printable(typeof value === "string" ? value : JSON.stringify(value) ?? "")

/** For people: a line begins with when and how bad, then what, then the rest as `name=value`; a cause has lines of its own. */
const pretty = Logger.map(Logger.formatStructured, ({ annotations, cause, level, message, timestamp }) => {
  const details = Object.entries(annotations).map(([name, value]) => ` ${name}=${shown(value)}`).join("")
  const line = `${timestamp} ${level.padEnd(5)} ${shown(message)}${details}`
  return cause === undefined ? line : `${line}\n  ${cause.split("\n").map(printable).join("\n  ")}`
})

const formats = {
  json: { inFile: Logger.formatJson, onConsole: () => Logger.consoleJson },
  logfmt: { inFile: Logger.formatLogFmt, onConsole: () => Logger.consoleLogFmt },
  pretty: { inFile: pretty, onConsole: () => Logger.consolePretty() }
}

/**
 * The logger of a configuration. Without a file it is the program's own, at the program's own level unless one was set, and
 * in its form unless one was set; a file gets JSON lines unless a form was set. A file that cannot be opened stops the start.
 */
export const layer = ({ configuration, origins }: Settings): Layer.Layer<never, McCacheError.McCacheError> => {
  const level = Layer.succeed(References.MinimumLogLevel, configuration.logLevel)
  const filename = configuration.logFilename
  const isFormatSet = origins.logFormat !== "default"
  const { inFile, onConsole } = formats[isFormatSet || filename === undefined ? configuration.logFormat : "json"]
  if (filename !== undefined) {
    return Layer.merge(level, Logger.layer([LogFile.logger(filename, inFile), Logger.tracerLogger]))
  }
  return Layer.merge(
    origins.logLevel === "default" ? Layer.empty : level,
    isFormatSet ? Logger.layer([Effect.sync(onConsole), Logger.tracerLogger]) : Layer.empty
  )
}
