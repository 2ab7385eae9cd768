/**
 * What happened to the keys of a namespace, told to subscribers (`changes`, `on("change")`) and to the callback for keys
 * that changed since they were read (section 6 of the design, rule 11). Nothing is built while nobody listens; who falls
 * `waitingMaxOf` behind misses the oldest, which is counted.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Key } from "../domain/Key.ts"
import * as LogLimit from "../domain/LogLimit.ts"
import type * as Record from "../domain/Record.ts"
import type * as Replica from "../domain/Replica.ts"
import type { MemberId, Stamp } from "../domain/Stamp.ts"
import type { Counters } from "./Counters.ts"
import * as Subscribers from "./Subscribers.ts"

/** What happened to a key, as `changes` and `on("change")` tell it. @category models */
export interface Change {
  readonly type: "set" | "delete" | "clear" | "expire" | "evict" | "incoherent"
  readonly namespace: string
  readonly key: Key
  readonly stamp: Stamp
  readonly origin: "local" | "remote" | "repair"
}

/** A key that was looked up here not long ago changed elsewhere (section 6, rule 11). @category models */
export interface ChangedSinceRead {
  readonly type: "delete" | "update" | "incoherent"
  readonly namespace: string
  readonly key: Key
  /** When it was looked up, Unix milliseconds. */
  readonly lookedUpAt: number
  readonly stamp: Stamp
  readonly elapsedMillis: number
  readonly previousCrc: number
  /** The checksum of the new value; `undefined` when there is none. */
  readonly crc: number | undefined
}

/** Changes that a subscriber, or the callback, may lag behind: a clear of everything, and what is written in its place, fit. */
const waitingMaxOf = (cacheMax: number): number => Math.max(4_096, 2 * cacheMax)

export interface Changes {
  /** What happens from when it is run on. Ends when the member is closed. */
  readonly stream: Stream.Stream<Change>
  readonly publish: (type: Change["type"], key: Key, clock: number, writer: MemberId, origin: Replica.Origin) => void
  /** Notes a change by others of an entry that was looked up here; false when that was too long ago. */
  readonly sinceRead: (
    previous: Record.Entry,
    lookedUpAt: number | undefined,
    type: ChangedSinceRead["type"],
    by: { readonly clock: number; readonly writer: MemberId; readonly crc: number | undefined },
    now: number
  ) => boolean
  /** Calls back what was noted. A callback that throws is logged and harms nothing. */
  readonly callBack: () => Effect.Effect<void> | undefined
}

export const make = Effect.fnUntraced(function*(options: {
  readonly namespace: string
  readonly counters: Counters
  readonly callbackWindowMillis: number
  readonly cacheMax: number
  readonly onChange: ((change: ChangedSinceRead) => void) | undefined
}): Effect.fn.Return<Changes, never, Scope.Scope> {
  const { cacheMax, callbackWindowMillis, counters, namespace, onChange } = options
  const waitingMax = waitingMaxOf(cacheMax)
  const published = yield* Subscribers.make<Change>()
  // Who waits for changes of a closed member would wait for ever.
  yield* Effect.addFinalizer(() => PubSub.shutdown(published))
  const noted: Array<ChangedSinceRead> = []
  const limit = LogLimit.make()
  let subscribers = 0

  return {
    stream: Stream.suspend(() => {
      subscribers++
      return Stream.ensuring(Subscribers.stream(published), Effect.sync(() => void subscribers--))
    }),
    publish: (type, key, clock, writer, origin) => {
      if (subscribers === 0) return
      const change: Change = {
        type,
        namespace,
        key,
        stamp: { clock, writer },
        origin: origin === "fill" ? "local" : origin
      }
      if (!Subscribers.publish(published, change, waitingMax)) counters.changesDropped++
    },
    sinceRead: (previous, lookedUpAt, type, { clock, crc, writer }, now) => {
      if (lookedUpAt === undefined) return false
      const elapsedMillis = now - lookedUpAt
      if (elapsedMillis > callbackWindowMillis || callbackWindowMillis === 0) return false
      if (onChange === undefined) return true
      if (noted.length >= waitingMax) {
        counters.changesDropped++
        return true
      }
      const { crc: previousCrc, key } = previous
      noted.push({ type, namespace, key, lookedUpAt, stamp: { clock, writer }, elapsedMillis, previousCrc, crc })
      return true
    },
    callBack: () => {
      if (noted.length === 0 || onChange === undefined) return undefined
      const failures: Array<unknown> = []
      for (const change of noted.splice(0)) {
        try {
          onChange(change)
        } catch (cause) {
          counters.callbackFailures++
          failures.push(cause)
        }
      }
      if (failures.length === 0) return undefined
      return Effect.flatMap(Clock.currentTimeMillis, (now) => {
        // Others cause the changes: a callback that always throws must not fill the log. The others are counted.
        const leftOut = failures.map(() => LogLimit.pass(limit, "threw", now)).find((passed) => passed !== undefined)
        if (leftOut === undefined) return Effect.void
        return Effect.logError(
          `McCache: onChange of namespace ${JSON.stringify(namespace)} threw; the change is in the cache all the same`,
          failures[0]
        ).pipe(Effect.annotateLogs({ namespace, ...(leftOut > 0 ? { leftOut } : {}) }))
      })
    }
  }
})
