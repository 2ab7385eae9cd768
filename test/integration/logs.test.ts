/** Log files of real processes: rotated, full, deleted, and read by others while the process goes on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as LogFile from "../../src/runtime/LogFile.ts"
import { group } from "./support/Children.ts"

const deadlineMillis = 20_000

/** A directory of its own, deleted at the end. */
const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "mccache-logs-"))),
  (root) => Effect.sync(() => fs.rmSync(root, { recursive: true, force: true }))
)

const linesOf = (file: string): ReadonlyArray<string> =>
  fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : []

/** Looks again until it holds. */
const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    const deadline = Date.now() + deadlineMillis
    while (!condition()) {
      assert.isBelow(Date.now(), deadline, `it never came to be that ${what}`)
      yield* Effect.sleep(10)
    }
  })

const plain = Logger.make<unknown, string>(({ message }) => String(message))

/** A log file, what the program's own logger hears meanwhile, and a way to log so many lines. */
const opened = Effect.fnUntraced(function*(file: string) {
  const heard: Array<string> = []
  const own = Logger.make<unknown, void>(({ message }) => void heard.push(String(message)))
  const logger = yield* LogFile.logger(file, plain).pipe(
    Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>([own]))
  )
  const log = (lines: Iterable<string>) =>
    Effect.forEach(lines, (line) => Effect.logInfo(line), { discard: true }).pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>([logger]))
    )
  return { heard, log }
})

const numbered = (count: number, units = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `line ${index}`.padEnd(units, "."))

describe("a log file", () => {
  it.live("is appended to, in whole lines and in order, and complete when the scope ends", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      fs.writeFileSync(file, "before\n")
      const scope = yield* Scope.make()
      const { log } = yield* Scope.provide(opened(file), scope)
      const lines = numbered(5_000, 60)
      yield* log(lines)
      // Nothing is written on the turn of who logs.
      assert.deepStrictEqual(linesOf(file), ["before"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(linesOf(file), ["before", ...lines])
    }))

  it.live("is written soon, without being closed", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      const { log } = yield* opened(file)
      for (const line of ["a", "b"]) {
        yield* log([line])
        yield* until(`${line} is written`, () => linesOf(file).includes(line))
      }
      assert.deepStrictEqual(linesOf(file), ["a", "b"])
    }))

  it.live("that is renamed, as rotation does, is followed by a new one", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      const { heard, log } = yield* opened(file)
      yield* log(["a"])
      yield* until("a is written", () => linesOf(file).length === 1)
      fs.renameSync(file, `${file}.1`)
      yield* log(["b"])
      yield* until("b is written", () => linesOf(file).length === 1)
      assert.deepStrictEqual(linesOf(`${file}.1`), ["a"])
      assert.deepStrictEqual(linesOf(file), ["b"])
      assert.deepStrictEqual(heard, [])
    }))

  it.live("whose directory is deleted harms nothing, is told of once, and goes on when there is one again", () =>
    Effect.gen(function*() {
      const root = yield* directory
      const file = path.join(root, "deep", "log")
      fs.mkdirSync(path.dirname(file))
      const { heard, log } = yield* opened(file)
      yield* log(["a"])
      yield* until("a is written", () => linesOf(file).length === 1)
      fs.rmSync(path.dirname(file), { recursive: true })
      yield* log(["b"])
      yield* until("the program hears of it", () => heard.length > 0)
      yield* log(["c"])
      yield* Effect.sleep(LogFile.retryMillis + LogFile.flushMillis)
      assert.strictEqual(heard.length, 1)
      assert.match(heard[0], /cannot be written: ENOENT/)
      fs.mkdirSync(path.dirname(file))
      yield* until("the lines are there", () => linesOf(file).length === 3)
      assert.deepStrictEqual(linesOf(file).slice(0, 2), ["b", "c"])
      assert.match(linesOf(file)[2], /^McCache: 0 lines of the log were left out here: it could not be written: ENOENT/)
      assert.strictEqual(heard.length, 1)
    }))

  it.live("in whose place stands what cannot be written waits until it can", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      const { heard, log } = yield* opened(file)
      fs.rmSync(file)
      fs.mkdirSync(file)
      yield* log(["a"])
      yield* until("the program hears of it", () => heard.length > 0)
      assert.match(heard[0], /cannot be written: EISDIR/)
      fs.rmdirSync(file)
      yield* until("the line is there", () => linesOf(file).length === 2)
      assert.strictEqual(linesOf(file)[0], "a")
    }))

  it.live(
    "on a full disk keeps what has room, counts the rest, and says so when there is space again",
    () =>
      Effect.gen(function*() {
        const root = yield* directory
        const file = path.join(root, "log")
        fs.symlinkSync("/dev/full", file)
        const { heard, log } = yield* opened(file)
        const units = 1_024
        yield* log(["first"])
        yield* until("the program hears of it", () => heard.length > 0)
        assert.match(heard[0], /cannot be written: ENOSPC/)
        const room = Math.floor(LogFile.waitingUnitsMax / units)
        const lines = numbered(room + 500, units - 1)
        yield* log(lines)
        fs.rmSync(file)
        yield* until("there is space, and it is said", () => linesOf(file).some((line) => line.startsWith("McCache")))
        const written = linesOf(file)
        assert.deepStrictEqual(written.slice(0, -1), ["first", ...lines.slice(0, room)])
        assert.match(written[written.length - 1], /^McCache: 500 lines of the log were left out here: .*ENOSPC/)
        assert.strictEqual(heard.length, 1)
      }),
    { skip: !fs.existsSync("/dev/full") }
  )

  it.live("takes what comes faster than it is written as far as there is room, and tells how much did not", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      const { heard, log } = yield* opened(file)
      // All of it on one turn.
      yield* Effect.sync(() => Effect.runSync(log(numbered(3_000, 1_023))))
      yield* until("it is told", () => linesOf(file).some((line) => line.startsWith("McCache")))
      const written = linesOf(file)
      const left = Number(/^McCache: (\d+) lines/.exec(written[written.length - 1])?.[1])
      assert.strictEqual(written.length - 1 + left, 3_000)
      assert.strictEqual(left, 3_000 - LogFile.waitingUnitsMax / 1_024)
      assert.deepStrictEqual(heard, [])
    }))

  it.live("that cannot be opened stops the start, and says which and why", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "missing", "log")
      const error = yield* Effect.flip(Effect.scoped(opened(file)))
      assert.strictEqual(error.reason._tag, "InvalidConfig")
      assert.match(error.message, /^MCCACHE_LOG_FILENAME is ".*missing\/log", which cannot be written: ENOENT/)
    }))

  it.live("leaves no handler in the process behind", () =>
    Effect.gen(function*() {
      const root = yield* directory
      const count = () => process.listenerCount("SIGHUP") + process.listenerCount("exit")
      const before = count()
      yield* Effect.scoped(Effect.gen(function*() {
        for (let index = 0; index < 20; index++) yield* opened(path.join(root, `log${index}`))
        assert.strictEqual(count(), before + 2)
      }))
      assert.strictEqual(count(), before)
    }))
})

const standalone = new URL("../../src/standalone.ts", import.meta.url).href

/** A process with an open McCache that logs to the file, and runs a program. Killed when it does not end by itself. */
const start = (file: string, program: string, environment: NodeJS.ProcessEnv = {}) => {
  const source = `import { open } from ${JSON.stringify(standalone)}
const options = ${JSON.stringify({ ...group(), logFilename: file })}
${program}`
  return Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
        env: { ...process.env, ...environment },
        stdio: ["pipe", "pipe", "pipe"],
        timeout: deadlineMillis,
        killSignal: "SIGKILL"
      })
      let out = ""
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => out += String(chunk))
      return { child, out: () => out, ended: once(child, "close") }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )
}

describe("a process that logs to a file", () => {
  // Each opening of a namespace with an unknown option is a warning: lines at will, by the public door.
  const writer = `const mccache = await open(options)
let last = 0
const say = () => mccache.cache("n" + last, { ["unknown" + last++]: 1 })
process.stdin.on("data", say).on("end", async () => {
  await mccache.close()
  process.exit(0)
})
console.log("open")`

  it.live("opens it anew on SIGHUP, and does not end", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "log")
      const { child, ended, out } = yield* start(file, writer)
      yield* until("it is open", () => out().includes("open"))
      child.stdin.write("x")
      yield* until("a line is there", () => linesOf(file).length === 1)
      fs.renameSync(file, `${file}.1`)
      child.kill("SIGHUP")
      // Without anything to write, so that who rotates finds the file.
      yield* until("the new file is there", () => fs.existsSync(file))
      child.stdin.write("x")
      yield* until("a line is in the new file", () => linesOf(file).length === 1)
      assert.strictEqual(linesOf(`${file}.1`).length, 1)
      const line: unknown = JSON.parse(linesOf(file)[0])
      assert.include(line, { level: "WARN" })
      assert.include(JSON.stringify(line), "unknown1")
      child.stdin.end()
      yield* Effect.promise(() => ended)
      assert.strictEqual(child.exitCode, 0, out())
    }))

  it.live("has everything in it after process.exit, in the form that was asked for", () =>
    Effect.gen(function*() {
      const root = yield* directory
      for (
        const [format, pattern] of [["logfmt", /^timestamp=\S+ level=WARN .*unknown\d+/], [
          "pretty",
          /Z WARN {2}\S/
        ]] as const
      ) {
        const file = path.join(root, format)
        const { child, ended, out } = yield* start(
          file,
          `${writer}
for (let index = 0; index < 100; index++) say()
process.exit(3)`,
          { MCCACHE_LOG_FORMAT: format }
        )
        yield* Effect.promise(() => ended)
        assert.strictEqual(child.exitCode, 3, out())
        assert.strictEqual(linesOf(file).length, 100)
        for (const line of linesOf(file)) assert.match(line, pattern)
      }
    }))

  it.live("serves its cache while the disk is full, and ends", () =>
    Effect.gen(function*() {
      const { child, ended, out } = yield* start(
        "/dev/full",
        `${writer}
for (let index = 0; index < 100; index++) say()
const cache = mccache.cache("values")
const deadline = Date.now() + 1_000
while (Date.now() < deadline) {
  cache.set("x", Date.now())
  if (cache.get("x") === undefined) throw new Error("lost")
  await new Promise((resolve) => setImmediate(resolve))
}
await mccache.close()
console.log("fine")
process.exit(0)`
      )
      yield* Effect.promise(() => ended)
      assert.strictEqual(child.exitCode, 0, out())
      assert.include(out(), "fine")
      assert.strictEqual(out().match(/cannot be written: ENOSPC/g)?.length, 1)
    }), { skip: !fs.existsSync("/dev/full") })
})
