/**
 * Looking at a cluster, and writing into it, from a member that has no namespace open: what tools are made of.
 *
 * How it works: a namespace that is not open here is not transferred. Others are asked for the copies of a key and for the listings
 * of what they hold (the requests that repair uses, which change nothing where they are answered); what they write is overheard,
 * as every member hears all writes. A write goes through a *detached* namespace: its replica holds only what was written here, and
 * it is in no heartbeat, so that nobody joins or repairs from it, and nothing is folded into it.
 *
 * Required: a detached write names the greatest clock that it must exceed, of the forget lines, floors and records of the
 * members that hold the namespace, for nothing that they say reaches a replica here. Guaranteed: to all others such a write
 * is that of a member which just joined, and waits for them (`flush`) mean the same.
 */
import * as Effect from "effect/Effect"
import type { Key } from "../domain/Key.ts"
import type * as McCacheError from "../domain/McCacheError.ts"
import type { NamespaceOptions } from "../domain/NamespaceOptions.ts"
import type { Request, Write } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import type * as Repair from "../domain/Repair.ts"
import type { CopiesReply, ListingReply } from "../domain/ReplyCodec.ts"
import { attempt } from "./Attempt.ts"
import { requireKey } from "./CacheCore.ts"
import type { CacheCore } from "./CacheCore.ts"
import type { Gather, Gathered, GatherOptions, MemberInfo } from "./Gather.ts"

/** One namespace, at the chosen members. */
export interface ObserverOptions extends GatherOptions {
  readonly name: string
}

/** What a member holds of a key: an entry or what is left of one, with the status that the member gave. */
export type Held = CopiesReply

/** All that a member holds. */
export interface Listed {
  readonly status: ListingReply["status"]
  readonly items: ReadonlyArray<Repair.Item>
}

export interface Observer {
  /** What the chosen members hold of a key. */
  readonly copies: (options: ObserverOptions & { readonly key: Key }) => Effect.Effect<
    Gathered<Held>,
    McCacheError.McCacheError
  >
  /** What the chosen members hold, tombstones among it. Each lists it bucket by bucket, the whole within the timeout. */
  readonly listings: (options: ObserverOptions) => Effect.Effect<Gathered<Listed>, McCacheError.McCacheError>
  /** Calls back for each write that another member sends to a namespace that is not open here. Returns how to stop. */
  readonly overhear: (listener: (write: Write) => void) => () => void
  /** A cache that only writes, above `clock`. Reading from it shows what was written here. */
  readonly detached: (name: string, options: NamespaceOptions, clock: number) => CacheCore<unknown>
}

const listingsAtOnce = 8
const buckets = Array.from({ length: 256 }, (_, bucket) => bucket)

export const make = (host: {
  readonly gather: Pick<Gather, "collect" | "request">
  readonly detached: Observer["detached"]
}): Observer & { readonly overheard: (write: Write) => void } => {
  const listeners = new Set<(write: Write) => void>()

  /** Asks a member, and reads its answer; an answer that cannot be read is none. */
  const ask = <A>(
    member: MemberInfo,
    build: (request: number) => Request,
    decode: (bytes: Uint8Array) => A | undefined,
    millis: number
  ): Effect.Effect<A | undefined> =>
    Effect.map(
      host.gather.request(member, build, millis),
      (reply) => reply === undefined ? undefined : decode(reply)
    )

  const answered = <A>(answer: A | undefined): { readonly answer: A } | undefined =>
    answer === undefined ? undefined : { answer }

  const list = (member: MemberInfo, name: string, millis: number): Effect.Effect<Listed | undefined> => {
    let status: Listed["status"] = "ok"
    return Effect.forEach(buckets, (bucket) => {
      // What is not open, or not ready to be listed, is asked once and not 256 times.
      if (status !== "ok") return Effect.succeed([])
      return ask(
        member,
        (request) => ({ _tag: "LISTING", request, namespace: name, bucket }),
        OperationCodec.replies.listing.decode,
        millis
      ).pipe(
        Effect.filterOrFail((reply) => reply !== undefined),
        Effect.map((reply) => {
          if (reply.status !== "ok") status = reply.status
          return reply.items
        })
      )
    }, { concurrency: listingsAtOnce }).pipe(
      Effect.map((items): Listed => ({ status, items: items.flat() })),
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed(undefined) }),
      Effect.catch(() => Effect.succeed(undefined))
    )
  }

  return {
    copies: ({ key, ...options }) =>
      attempt(() => requireKey(key)).pipe(
        Effect.andThen(host.gather.collect(options, (member, millis) =>
          member.state === "self"
            ? Effect.succeed({ answer: nothing })
            : Effect.map(
              ask(
                member,
                (request) => ({ _tag: "WANT", request, namespace: options.name, keys: [key] }),
                OperationCodec.replies.copies.decode,
                millis
              ),
              answered
            )))
      ),
    listings: (options) =>
      host.gather.collect(options, (member, millis) =>
        member.state === "self"
          ? Effect.succeed({ answer: { status: "closed" as const, items: [] } })
          : Effect.map(list(member, options.name, millis), answered)),
    overhear: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    detached: host.detached,
    overheard: (write) => {
      for (const listener of listeners) listener(write)
    }
  }
}

const nothing: Held = { status: "closed", copies: [] }
