/**
 * A logger into a file, which harms nothing whatever happens to the file.
 *
 * Lines are buffered, and written `flushMillis` after the first of them in one piece, on another thread. What waits is
 * bounded: lines that find no room are counted, and the count is a line as soon as there is one again. A failure (a full disk,
 * a deleted directory) is told once by the program's own logger, and the lines wait; every second it is tried again.
 *
 * The file is appended to. On SIGHUP, as tools that rotate logs send it, and when another file stands under the name or none,
 * it is opened anew. What waits when the process ends is written then; what a signal kills loses up to `flushMillis`.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { writeSync } from "node:fs"
import { type FileHandle, open, stat } from "node:fs/promises"
import * as McCacheError from "../domain/McCacheError.ts"

/** How long a line waits for others. */
export const flushMillis = 100
/** How long after a failure the file is tried again. */
export const retryMillis = 1_000
/** What may wait, in UTF-16 units. */
export const waitingUnitsMax = 1_048_576
const newline = 10

/** Open files of this process: one handler each of SIGHUP and of the end of the process serves them all. */
const openFiles = new Set<{ readonly hungUp: () => void; readonly exiting: () => void }>()
const onHangUp = (): void => openFiles.forEach((file) => file.hungUp())
const onExit = (): void => openFiles.forEach((file) => file.exiting())

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The file and what waits for it. Nothing here throws or rejects. */
class LogFile {
  readonly path: string
  readonly #wake: () => void
  #handle: FileHandle | undefined
  #lines: Array<string> = []
  #waitingUnits = 0
  /** What is left of a piece that was written in part, and whether it begins with a line. */
  #rest: { readonly bytes: Buffer; readonly begins: boolean } | undefined
  #reopens = false
  /** Lines that found no room since it was last told. */
  #lost = 0
  /** Why nothing can be written at the moment. */
  failure: string | undefined

  constructor(path: string, handle: FileHandle, wake: () => void) {
    this.path = path
    this.#handle = handle
    this.#wake = wake
  }

  add(line: string): void {
    if (this.#waitingUnits + line.length > waitingUnitsMax) {
      this.#lost++
      return
    }
    this.#waitingUnits += line.length
    if (this.#lines.push(line) === 1) this.#wake()
  }

  /** How many lines found no room since the last call. */
  takeLost(): number {
    const lost = this.#lost
    this.#lost = 0
    return lost
  }

  hungUp(): void {
    this.#reopens = true
    this.#wake()
  }

  /** Writes what waits at once: nothing else will run. */
  exiting(): void {
    if (this.#handle === undefined) return
    try {
      for (const piece of this.#pieces()) writeSync(this.#handle.fd, piece)
    } catch {
      // There is nobody left to tell.
    }
  }

  async flush(): Promise<void> {
    try {
      const current = this.#handle
      const replaced = this.#reopens || current === undefined || await this.#isReplaced(current)
      const handle = replaced ? await this.#reopen() : current
      for (const piece of this.#pieces()) await this.#write(handle, piece)
      this.failure = undefined
    } catch (error) {
      this.failure = reasonOf(error)
    }
  }

  async close(): Promise<void> {
    await this.flush()
    await this.#release()
  }

  async #release(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    try {
      await handle?.close()
    } catch {
      // What a file system tells only now is lost with it.
    }
  }

  /** Whether another file stands under the name now, or none. */
  async #isReplaced(handle: FileHandle): Promise<boolean> {
    const own = await handle.stat()
    try {
      const named = await stat(this.path)
      return named.ino !== own.ino || named.dev !== own.dev
    } catch {
      return true
    }
  }

  async #reopen(): Promise<FileHandle> {
    const handle = await open(this.path, "a")
    await this.#release()
    this.#handle = handle
    this.#reopens = false
    if (this.#rest !== undefined && !this.#rest.begins) {
      // The rest of a line does not belong into another file.
      this.#rest = { bytes: this.#rest.bytes.subarray(this.#rest.bytes.indexOf(newline) + 1), begins: true }
      this.#lost++
    }
    return handle
  }

  /** What waits: what is left of an earlier piece, then the lines. */
  *#pieces(): Iterable<Buffer> {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined && rest.bytes.length > 0) yield rest.bytes
    if (this.#lines.length === 0) return
    const piece = Buffer.from(this.#lines.join(""))
    this.#lines = []
    this.#waitingUnits = 0
    yield piece
  }

  async #write(handle: FileHandle, piece: Buffer): Promise<void> {
    let at = 0
    try {
      while (at < piece.length) at += (await handle.write(piece, at)).bytesWritten
    } catch (error) {
      this.#rest = { bytes: piece.subarray(at), begins: at === 0 || piece[at - 1] === newline }
      throw error
    }
  }
}

const cannotBeWritten = (path: string, cause: unknown): McCacheError.McCacheError =>
  McCacheError.make(
    "InvalidConfig",
    `MCCACHE_LOG_FILENAME is ${JSON.stringify(path)}, which cannot be written: ${reasonOf(cause)}. ` +
      `Accepted: a file that this process may append to, in a directory that exists.`
  )

/**
 * A logger that appends lines of a format to a file for as long as the scope lives. Fails with `InvalidConfig` when the file
 * cannot be opened now; what happens to it later harms nothing.
 */
export const logger = Effect.fnUntraced(function*(
  path: string,
  format: Logger.Logger<unknown, string>
): Effect.fn.Return<Logger.Logger<unknown, void>, McCacheError.McCacheError, Scope.Scope> {
  const woken = yield* Queue.sliding<void>(1)
  const file = yield* Effect.acquireRelease(
    Effect.map(
      Effect.tryPromise({ try: () => open(path, "a"), catch: (cause) => cannotBeWritten(path, cause) }),
      (handle) => {
        const opened = new LogFile(path, handle, () => Queue.offerUnsafe(woken, undefined))
        if (openFiles.size === 0) process.on("SIGHUP", onHangUp).on("exit", onExit)
        openFiles.add(opened)
        return opened
      }
    ),
    (opened) =>
      Effect.promise(() => {
        openFiles.delete(opened)
        if (openFiles.size === 0) process.off("SIGHUP", onHangUp).off("exit", onExit)
        return opened.close()
      })
  )
  const self = Logger.make<unknown, void>((options) => file.add(`${format.log(options)}\n`))
  const intoFile = Effect.provideService(Logger.CurrentLoggers, new Set([self]))

  /** Writes what waits, and tells once of a failure, and of its end. */
  const flush = Effect.gen(function*() {
    const before = file.failure
    yield* Effect.promise(() => file.flush())
    const { failure } = file
    if (failure !== undefined) {
      if (before === undefined) {
        yield* Effect.logWarning(
          `McCache: ${
            JSON.stringify(path)
          } cannot be written: ${failure}. Its lines wait; make room, or make it writable.`
        )
      }
      return
    }
    const lost = file.takeLost()
    if (lost === 0 && before === undefined) return
    const why = before === undefined ? "more came than can wait to be written" : `it could not be written: ${before}`
    yield* intoFile(Effect.logWarning(`McCache: ${lost} lines of the log were left out here: ${why}`))
    yield* Effect.promise(() => file.flush())
  }).pipe(Effect.uninterruptible)

  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    yield* Queue.take(woken)
    yield* Effect.sleep(flushMillis)
    yield* flush
    while (file.failure !== undefined) {
      yield* Effect.sleep(retryMillis)
      yield* flush
    }
  })))
  return self
})
