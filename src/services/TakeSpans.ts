/**
 * Spans of what a member takes from others: `McCache.join` when a namespace is transferred, `McCache.repair` when it is compared.
 * Both are roots: what made them begin is over, or was a heartbeat.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MemberId } from "../domain/Stamp.ts"
import type { Namespace } from "./Namespace.ts"
import type { Ending, Take } from "./Take.ts"

/** Told when a take ends, and how many records came. */
export type TakeEnded = (how: Ending, records: number) => void

/** Tells of takes: to the tracer of the context, and to a witness. */
export const make = (
  context: Context.Context<never>,
  clock: Clock.Clock,
  witness: (namespace: Namespace, donor: MemberId, stage: "asked" | "done") => void
) => {
  const makeSpan = Effect.runSyncWith(context)
  return (namespace: Namespace, donor: MemberId, kind: Take["kind"]): TakeEnded => {
    witness(namespace, donor, "asked")
    const span = makeSpan(Effect.makeSpan(`McCache.${kind}`, {
      root: true,
      attributes: { "mccache.namespace": namespace.name, "mccache.donor": donor }
    }))
    return (how, records) => {
      if (how === "done") witness(namespace, donor, "done")
      span.attribute("mccache.ending", how)
      span.attribute("mccache.records", records)
      const exit = how === "failed" ? Exit.fail(new Error("The donor did not answer, or left.")) : Exit.void
      span.end(clock.currentTimeNanosUnsafe(), exit)
    }
  }
}
