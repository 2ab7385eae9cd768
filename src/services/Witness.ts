/**
 * A witness of what members do: told of every fold and of every repair, so that checkers can decide from the history what
 * no look from outside shows. Only simulations provide one.
 */
import * as Context from "effect/Context"
import type { Header } from "../domain/Datagram.ts"
import type { Event, Outcome, Replica } from "../domain/Replica.ts"
import type { MemberId } from "../domain/Stamp.ts"

/** A namespace of a member, as a witness sees it. */
export interface Subject {
  readonly name: string
  readonly replica: Replica
}

export interface Witness {
  /** An event was folded, or was not. */
  readonly folded: (member: MemberId, subject: Subject, event: Event, outcome: Outcome) => void
  /** A repair asks its donor for a digest, or took everything: what the donor knew when it was asked is known here. */
  readonly took: (member: MemberId, subject: Subject, donor: MemberId, stage: "asked" | "done") => void
  /** A datagram was taken for authentic and fresh. */
  readonly accepted: (member: MemberId, header: Header) => void
}

/** @category services */
export const Witness: Context.Reference<Witness | undefined> = Context.Reference<Witness | undefined>(
  "mccache/services/Witness",
  { defaultValue: () => undefined }
)
