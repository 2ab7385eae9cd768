/** `mccache stress`, and the hidden command that its members run. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { randomBytes } from "node:crypto"
import { settings as settingTable } from "../../domain/SettingTable.ts"
import * as Settings from "../Settings.ts"
import { workerCommand } from "./Crew.ts"
import * as Plan from "./Plan.ts"
import * as Printout from "./Printout.ts"
import * as Progress from "./Progress.ts"
import * as ReportPage from "./ReportPage.ts"
import * as Run from "./Run.ts"
import * as Worker from "./Worker.ts"

/** The members differed, one died, or it could not be done. That is printed already; the exit code is 1. */
export class StressFailed extends Schema.TaggedError<StressFailed>()("StressFailed", { message: Schema.String }) {
  override readonly [Runtime.errorReported] = false
}

/** A flag for a setting of the table: read, checked and described as the variable is, which it wins over. */
const knob = (name: string, alias: string, option: string) => {
  const row = settingTable.find((setting) => setting.option === option)
  const text = (row?.description ?? "").replace(/^Stress test: /, "")
  const description = text.slice(0, 1).toUpperCase() + text.slice(1)
  return Flag.String(name).pipe(
    Flag.withAlias(alias),
    Flag.withDescription(`${description} Default ${row?.defaultText}. (${row?.variable})`),
    Flag.optional
  )
}

const flags = {
  testClusterSize: knob("cluster-size", "C", "testClusterSize"),
  testKeyEntries: knob("key-entries", "K", "testKeyEntries"),
  testAperture: knob("aperture", "A", "testAperture"),
  testRunDuration: knob("run-duration", "R", "testRunDuration"),
  testDataSizeMix: knob("data-size-mix", "M", "testDataSizeMix"),
  testRandomSeed: knob("random-seed", "S", "testRandomSeed"),
  testMonkeyTantrum: knob("monkey-tantrum", "T", "testMonkeyTantrum")
}

const namespaces = Flag.Boolean("namespaces").pipe(
  Flag.withDescription("Give each member a network namespace with an address of its own (Linux, root)"),
  Flag.withDefault(false)
)
const json = Flag.Boolean("json").pipe(Flag.withDescription("Print the result as JSON"), Flag.withDefault(false))
const report = Flag.String("report").pipe(
  Flag.withDescription("Write the result, with plots, as one HTML page to this file"),
  Flag.optional
)

/** The environment as if the flags had been written there. */
const withFlags = (knobs: { readonly [option: string]: Option.Option<string> }): NodeJS.ProcessEnv => {
  const env = { ...process.env }
  for (const { option, variable } of settingTable) {
    const given = knobs[option]
    if (given !== undefined && Option.isSome(given)) env[variable] = given.value
  }
  return env
}

const screen: Progress.Screen = {
  terminal: process.stderr.isTTY === true,
  // Some terminals say that they have none.
  columns: () => process.stderr.columns || 80,
  write: (text) => void process.stderr.write(text)
}

export const stress = Command.make(
  "stress",
  { ...flags, namespaces, json, report },
  (given) =>
    Effect.scoped(Effect.gen(function*() {
      const { json, namespaces, report, ...knobs } = given
      const settings = yield* Settings.load({}, { env: withFlags(knobs) })
      for (const warning of settings.warnings) yield* Console.error(warning)
      const plan = Plan.make(settings, {
        pid: process.pid,
        namespaces,
        // Namespaces are no loopback, and members go nowhere else without a key.
        cryptoKey: namespaces ? randomBytes(32).toString("base64url") : undefined
      })
      yield* Console.error(Plan.describe(plan))
      const audience = Progress.audience(plan, screen)
      const outcome = yield* Run.run(plan, process.pid, audience).pipe(
        Effect.ensuring(audience.done),
        Effect.catchTag(
          "StressError",
          ({ message }) => Effect.andThen(Console.error(message), Effect.fail(new StressFailed({ message })))
        )
      )
      yield* Console.log(json ? JSON.stringify(outcome, undefined, 2) : Printout.text(outcome))
      if (Option.isSome(report)) {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(report.value, ReportPage.html(outcome))
        yield* Console.error(`the report is in ${report.value}`)
      }
      if (outcome.result === "fail") return yield* new StressFailed({ message: outcome.problems.join("; ") })
    }))
).pipe(
  Command.withDescription(
    "Change a cache at random from several processes at once, and compare what all hold at the end. Exit code 1: they differ, " +
      "or one died"
  ),
  Command.withExamples([
    { command: "mccache stress --run-duration \"30 seconds\"", description: "Three members for half a minute" },
    {
      command: "mccache stress -C 9 -A 0.001 -T 10 --report stress.html",
      description: "Nine members, a pause of 1 ms, 10 % of all datagrams dropped, five minutes, with plots"
    }
  ])
)

/** What `stress` starts; nobody else has a use for it. */
export const stressMember = Command.unlisted(Command.make(workerCommand, {}, () => Worker.run))
