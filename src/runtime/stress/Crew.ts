/**
 * The members of a stress test as processes: forked, asked, and ended whatever happens. Each runs this very program with a hidden
 * subcommand, so that the installed package needs nothing beside itself. When this process dies, even by SIGKILL, the channel
 * closes and the members end by themselves.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { Answered, type Asked, type Question } from "./Conversation.ts"
import type { Opening, Workload } from "./Plan.ts"

/** A run that cannot be done or judged; the message says why. */
export class StressError extends Schema.TaggedError<StressError>()("StressError", { message: Schema.String }) {}

/** The subcommand that members run with. */
export const workerCommand = "stress-member"

export interface Player {
  readonly index: number
  readonly pid: number
  /** Asks, and decodes the answer. Fails when the process ends before it answers. */
  readonly ask: <A>(question: Question, answer: Schema.Codec<A, unknown>) => Effect.Effect<A, StressError>
  /** Tells to do something; done when it has. */
  readonly tell: (question: Question) => Effect.Effect<void, StressError>
  /** Succeeds, with how, when the process ended. */
  readonly ended: Effect.Effect<string>
  /** How it ended; `undefined` while it runs. */
  readonly fate: () => string | undefined
}

/** `bin.ts` in the repository, `bin.js` in the package. */
const program = fileURLToPath(new URL(`../../bin${extname(import.meta.url)}`, import.meta.url))

const startMillisMax = 60_000
const answerMillisMax = 60_000
const closeMillisMax = 5_000

const spawn = (enter: ReadonlyArray<string>): ChildProcess => {
  const [execPath = process.execPath, ...rest] = [...enter, process.execPath]
  return fork(program, [workerCommand], {
    execPath,
    // Not those of this process, which may be a test's or a debugger's.
    execArgv: rest,
    // What members log goes where this process tells of itself: standard output is for the result.
    stdio: ["ignore", 2, 2, "ipc"]
  })
}

/** Starts a process for the scope; `enter` is a command to run it under. */
const start = Effect.fnUntraced(function*(
  index: number,
  enter: ReadonlyArray<string>
): Effect.fn.Return<Player, StressError, Scope.Scope> {
  const ended = yield* Deferred.make<string>()
  const waiting = new Map<number, (answered: Effect.Effect<Answered, StressError>) => void>()
  let asked = 0
  let fate: string | undefined
  const over = (how: string): void => {
    fate ??= how
    Deferred.doneUnsafe(ended, Effect.succeed(how))
    const failure = new StressError({ message: `member ${index + 1} ended with ${how} before it answered` })
    for (const resume of waiting.values()) resume(Effect.fail(failure))
    waiting.clear()
  }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(enter)
      child.on("message", (message: unknown) => {
        const answered = Schema.decodeUnknownSync(Answered)(message)
        waiting.get(answered.id)?.(Effect.succeed(answered))
        waiting.delete(answered.id)
      })
      child.on("exit", (code, signal) => over(signal ?? `exit code ${code}`))
      child.on("error", (error) => over(error.message))
      return child
    }),
    (child) =>
      Effect.suspend(() => {
        child.kill("SIGKILL")
        return Deferred.await(ended)
      })
  )

  const ask: Player["ask"] = (question, answer) =>
    Effect.callback<Answered, StressError>((resume) => {
      if (fate !== undefined) {
        return resume(Effect.fail(new StressError({ message: `member ${index + 1} is gone` })))
      }
      const id = ++asked
      waiting.set(id, resume)
      // When it cannot be sent the process is ending, and that is told above.
      child.send({ id, question } satisfies Asked, () => undefined)
      return Effect.sync(() => void waiting.delete(id))
    }).pipe(
      Effect.timeoutOrElse({
        duration: question._tag === "Open" ? startMillisMax : answerMillisMax,
        orElse: () =>
          Effect.fail(new StressError({ message: `member ${index + 1} did not answer ${question._tag} in time` }))
      }),
      Effect.flatMap(({ error, value }) =>
        error === undefined
          ? Effect.mapError(
            Schema.decodeUnknownEffect(answer)(value),
            (issue) => new StressError({ message: `member ${index + 1} answered ${question._tag} with ${issue}` })
          )
          : Effect.fail(new StressError({ message: `member ${index + 1} could not ${question._tag}: ${error}` }))
      )
    )

  return {
    index,
    pid: child.pid ?? 0,
    ask,
    tell: (question) => Effect.asVoid(ask(question, Schema.Unknown)),
    ended: Deferred.await(ended),
    fate: () => fate
  }
})

/** Starts them all for the scope; they are open and know each other when this succeeds. */
export const startAll = Effect.fnUntraced(function*(
  members: ReadonlyArray<{
    readonly opening: Opening
    readonly workload: Workload
    readonly enter: ReadonlyArray<string>
  }>
): Effect.fn.Return<ReadonlyArray<Player>, StressError, Scope.Scope> {
  const players = yield* Effect.forEach(members, ({ enter }, index) => start(index, enter))
  yield* Effect.forEach(
    players,
    (player, index) =>
      player.tell({ _tag: "Open", opening: members[index].opening, workload: members[index].workload }),
    { concurrency: "unbounded", discard: true }
  )
  const acquainted = Effect.gen(function*() {
    while (true) {
      const seen = yield* askAll(players, { _tag: "Members" }, Schema.Int)
      if (seen.every((count) => count === players.length)) return
      yield* Effect.sleep(50)
    }
  })
  yield* Effect.timeoutOrElse(acquainted, {
    duration: startMillisMax,
    orElse: () =>
      Effect.fail(
        new StressError({
          message: `the members did not find each other within ${startMillisMax / 1_000} s; is multicast possible here?`
        })
      )
  })
  return players
})

/** Asks all at the same time. */
export const askAll = <A>(
  players: ReadonlyArray<Player>,
  question: Question,
  answer: Schema.Codec<A, unknown>
): Effect.Effect<ReadonlyArray<A>, StressError> =>
  Effect.forEach(players, (player) => player.ask(question, answer), { concurrency: "unbounded" })

export const tellAll = (players: ReadonlyArray<Player>, question: Question): Effect.Effect<void, StressError> =>
  Effect.forEach(players, (player) => player.tell(question), { concurrency: "unbounded", discard: true })

/** Lets them say farewell. Who does not in time is ended with the scope. */
export const closeAll = (players: ReadonlyArray<Player>): Effect.Effect<void> =>
  Effect.forEach(
    players,
    (player) => Effect.andThen(Effect.ignore(player.tell({ _tag: "Close" })), player.ended),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.timeoutOption(closeMillisMax), Effect.asVoid)
