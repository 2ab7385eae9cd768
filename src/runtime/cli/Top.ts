/**
 * `mccache top`: a live view of a cluster. A thin loop around `TopFigures` and `TopScreen`: it joins as an observer that opens no
 * namespace, asks all members for their metrics once a second, and takes the digests that their heartbeats carry anyway.
 */
import type * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import type { Options } from "../../domain/Configuration.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import type { Member } from "../../services/Member.ts"
import * as Open from "../Open.ts"
import * as Cells from "./Cells.ts"
import * as ClusterFlags from "./ClusterFlags.ts"
import * as Failure from "./Failure.ts"
import * as FullScreen from "./FullScreen.ts"
import * as Output from "./Output.ts"
import * as TopFigures from "./TopFigures.ts"
import * as TopScreen from "./TopScreen.ts"

const intervalMillis = 1_000
/** Less than the interval, so that a member that does not answer holds up nobody. */
const answerMillisMax = 900
/** Figures kept for the bars: more than any terminal is wide. */
const pastMax = 500
/** `--once` waits so many samples, at most, until it is known whether the copies are equal. */
const onceSamplesMax = 7
/** How long a warning of the observer's own stays. */
const messageMillis = 10_000
/** Where the output is no terminal and `COLUMNS` says nothing. */
const columnsDefault = 120

const sample = Effect.fnUntraced(function*(member: Member): Effect.fn.Return<TopFigures.Sample, McCacheError> {
  const metrics = yield* member.clusterMetrics({ timeout: answerMillisMax / 1_000 })
  return {
    atMillis: yield* Clock.currentTimeMillis,
    members: member.members(),
    metrics,
    told: [...member.summaries()].flatMap(([id, summaries]) =>
      [...summaries.values()].map((summary) => ({ ...summary, member: id }))
    )
  }
})

/** Takes a sample once an interval, whatever the last one took, and hands on what is seen. */
const watch = <E, R>(
  member: Member,
  each: (seen: TopFigures.Seen) => Effect.Effect<boolean, E, R>
): Effect.Effect<void, McCacheError | E, R> =>
  Effect.gen(function*() {
    let seen: TopFigures.Seen | undefined
    for (;;) {
      const startedMillis = yield* Clock.currentTimeMillis
      seen = TopFigures.see(seen, yield* sample(member))
      if (!(yield* each(seen))) return
      const tookMillis = (yield* Clock.currentTimeMillis) - startedMillis
      yield* Effect.sleep(Math.max(intervalMillis / 10, intervalMillis - tookMillis))
    }
  })

const whereOf = ({ configuration: { cluster, multicastGroup: { address, port } } }: Member): string =>
  `${cluster} ${address.includes(":") ? `[${address}]` : address}:${port}`

// ---------------------------------------------------------------------------------------------------- once

/** Whether there is nothing left to wait for: rates take two samples, and the copies a digest of each member. */
const isWhole = ({ figures }: TopFigures.Seen): boolean =>
  figures.totals.answered > 0 && figures.totals.outPerSecond !== undefined &&
  figures.namespaces.every(({ copies }) => copies.type !== "unknown")

const once = Effect.fnUntraced(function*(member: Member, json: boolean) {
  let samples = 0
  let last: TopFigures.Seen | undefined
  yield* watch(member, (seen) => {
    last = seen
    samples++
    // Nobody else is there: heartbeats come each second.
    return Effect.succeed(samples < onceSamplesMax && !(samples > 1 && isWhole(seen)))
  })
  if (last === undefined) return
  const { figures } = last
  if (json) {
    yield* Output.json({ cluster: member.configuration.cluster, ...figures })
  } else {
    const terminal = yield* Terminal.Terminal
    const lines = TopScreen.lines([figures], {
      width: (yield* terminal.columns) || (yield* columns),
      height: Infinity,
      sort: "member",
      reverse: false,
      scroll: 0,
      where: whereOf(member),
      keys: false
    })
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    yield* Console.log(lines.map((line) => FullScreen.paint(line, canColor).trimEnd()).join("\n"))
  }
  // Who left while it was asked is no member any more.
  const silent = figures.members.filter(({ entries }) => entries === undefined).map(({ label }) => label)
  if (silent.length === 0) return
  return yield* Failure.failure(
    "unanswered",
    `these members did not answer within ${answerMillisMax} ms: ${silent.map(Cells.clean).join(", ")}`
  )
})

const columns = Config.Int("COLUMNS").pipe(Config.withDefault(columnsDefault)).pipe(
  Effect.orElseSucceed(() => columnsDefault),
  Effect.map((cells) => Math.max(20, cells))
)

// ---------------------------------------------------------------------------------------------------- live

/** What the keys change. */
interface Choice {
  readonly sort: TopScreen.Sort
  readonly reverse: boolean
  readonly scroll: number
}

const pageRows = 10

/** What a key changes, the figures' order among it. */
export const press = (choice: Choice, key: string, scrollMax: number): Choice => {
  const scrolled = (by: number): Choice => ({
    ...choice,
    scroll: Math.max(0, Math.min(scrollMax, Math.min(choice.scroll, scrollMax) + by))
  })
  switch (key) {
    case "r":
      return { ...choice, reverse: !choice.reverse }
    case "up":
    case "k":
      return scrolled(-1)
    case "down":
    case "j":
      return scrolled(1)
    case "pageup":
      return scrolled(-pageRows)
    case "pagedown":
      return scrolled(pageRows)
    case "home":
      return scrolled(-Infinity)
    case "end":
      return scrolled(scrollMax)
    default: {
      const sort = TopScreen.sorts.find(([its]) => its === key)?.[1]
      return sort === undefined ? choice : { sort, reverse: false, scroll: 0 }
    }
  }
}

const live = Effect.fnUntraced(function*(member: Member, warnings: Queue.Dequeue<string>) {
  const terminal = yield* Terminal.Terminal
  const stdio = yield* Stdio.Stdio
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const hasKeys = yield* stdio.stdinIsTerminal
  const sizes = yield* terminal.size
  // From here on Control-C is a key, before there is a screen that it could leave as it is.
  const input = hasKeys ? yield* terminal.readInput : undefined
  const past: Array<TopFigures.Figures> = []
  let size: Terminal.Size = { columns: yield* terminal.columns, rows: yield* terminal.rows }
  let choice: Choice = { sort: "member", reverse: false, scroll: 0 }
  let message: { readonly text: string; readonly untilMillis: number } | undefined

  const view = (): TopScreen.View => ({
    width: Math.max(1, size.columns),
    height: Math.max(1, size.rows),
    ...choice,
    where: whereOf(member),
    message: message?.text,
    keys: hasKeys
  })
  const draw = Effect.suspend(() => terminal.display(FullScreen.frame(TopScreen.lines(past, view()), canColor)))

  const sampling = watch(member, (seen) =>
    Effect.gen(function*() {
      past.push(seen.figures)
      if (past.length > pastMax) past.shift()
      const text = (yield* Queue.clear(warnings)).at(-1)
      if (text !== undefined) message = { text, untilMillis: seen.sample.atMillis + messageMillis }
      else if (message !== undefined && message.untilMillis < seen.sample.atMillis) message = undefined
      yield* draw
      return true
    }))

  const resizing = Effect.forever(Effect.gen(function*() {
    size = yield* Queue.take(sizes)
    yield* draw
  }))

  const keys = (input: Queue.Dequeue<Terminal.UserInput, Cause.Done>) =>
    Effect.gen(function*() {
      for (;;) {
        const { key } = yield* Queue.take(input)
        if (key.name === "q") return
        const figures = past.at(-1)
        const before = choice
        choice = press(choice, key.name, figures === undefined ? 0 : TopScreen.scrollMax(figures, view()))
        if (choice !== before) yield* draw
      }
    })

  yield* FullScreen.open
  yield* draw
  yield* Effect.raceAllFirst([
    sampling,
    resizing,
    ...input === undefined ? [] : [keys(input)]
  ]).pipe(
    // The terminal's own keys to quit, Escape and Control-C, end its queue.
    Effect.catchTag("Done", () => Effect.void)
  )
})

// ---------------------------------------------------------------------------------------------------- command

/** Opens an observer. What it logs would tear the screen: the last warning has a line of its own there. */
const observed = <A, E, R>(
  options: Options,
  logging: Layer.Layer<never>,
  use: (member: Member) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | McCacheError, Exclude<R, Scope.Scope>> =>
  Effect.gen(function*() {
    const member = yield* Open.member(options, {}, () => Layer.empty)
    yield* member.ready
    return yield* use(member)
  }).pipe(Effect.scoped, Effect.provide(logging))

export const top = Command.make("top", {
  ...ClusterFlags.flags,
  once: Flag.Boolean("once").pipe(
    Flag.withDescription("Print one frame and end: for scripts, and always where the output is no terminal"),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the figures of one frame as JSON and end"),
    Flag.withDefault(false)
  )
}, (given) =>
  Effect.gen(function*() {
    const stdio = yield* Stdio.Stdio
    const options = ClusterFlags.options(given)
    if (given.once || given.json || !(yield* stdio.stdoutIsTerminal)) {
      return yield* observed(options, Layer.succeed(Logger.LogToStderr, true), (member) => once(member, given.json))
    }
    const warnings = yield* Queue.sliding<string>(16)
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") {
        Queue.offerUnsafe(warnings, Array.isArray(message) ? message.map(String).join(" ") : String(message))
      }
    })
    const logging = Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Warn"))
    return yield* observed(options, logging, (member) => live(member, warnings))
  })).pipe(
    Command.withDescription(
      "Watch the members, their traffic and whether their copies are equal. Keys: q quits, others sort, arrows scroll"
    ),
    Command.withExamples([
      { command: "mccache top --cluster shop", description: "Watch a cluster" },
      { command: "mccache top --once --json", description: "Its figures, for a script" }
    ])
  )
