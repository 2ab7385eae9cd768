/**
 * The answering side of requests: digests, listings and copies for members that repair or join, reports for people, and
 * the clearing of this member alone. Stateless but for the answers that are kept a little while to be pulled.
 */
import type { Control, PullRequest, Request, Status } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import * as Pull from "../domain/Pull.ts"
import * as Repair from "../domain/Repair.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Destination } from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"

export interface Host {
  readonly self: MemberId
  readonly time: MemberTime
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly pieceBytes: number
  /** Up to which number of each sender everything is folded here, of its own among them. */
  readonly settled: () => ReadonlyArray<{ readonly sender: MemberId; readonly number: number }>
  readonly send: (to: Destination, operation: Control) => void
  /** Answers for people, as JSON: metrics and checksums. */
  readonly metrics: (namespace: string | undefined) => string
  readonly checksum: (namespace: string | undefined, key: string | number | undefined) => string
  /** Clears this member: one namespace or all. */
  readonly reset: (namespace: string | undefined) => void
}

export interface Responder {
  readonly onRequest: (from: Destination, request: Request) => void
  readonly onPull: (from: Destination, pull: PullRequest) => void
  /** Lets go of answers that nobody asked for lately. */
  readonly sweep: () => void
}

export const make = (host: Host): Responder => {
  const server = Pull.makeServer({})
  /** Pieces that a first answer brings without being asked further. */
  const firstPieces = 32

  const open = (
    from: Destination,
    name: string,
    fingerprint?: string
  ): { readonly status: Status; readonly namespace: Namespace | undefined } => {
    const namespace = host.namespaces.get(name)
    if (namespace === undefined) return { status: "closed", namespace }
    if (namespace.refusedMembers.has(from.id)) return { status: "options", namespace: undefined }
    if (fingerprint !== undefined && fingerprint !== namespace.fingerprint) {
      return { status: "options", namespace: undefined }
    }
    return { status: namespace.caughtUp ? "ok" : "later", namespace }
  }

  const answer = (from: Destination, request: Request): Uint8Array => {
    const now = host.time.now()
    switch (request._tag) {
      case "DIGEST": {
        const { namespace, status } = open(from, request.namespace, request.fingerprint)
        if (namespace === undefined || status !== "ok" || namespace.options.mode !== 1) {
          // What is not told yet is waited for, unless there is nothing to be told.
          const settled = namespace === undefined ? [] : [{ sender: host.self, number: namespace.sentBefore }]
          return OperationCodec.replies.digest.encode({
            status,
            quantum: 0,
            floor: 0,
            forget: 0,
            count: 0,
            hashes: [],
            settled
          })
        }
        const settled = request.joins ? host.settled() : []
        return OperationCodec.replies.digest.encode({ status, ...Repair.digest(namespace.replica, now), settled })
      }
      case "LISTING": {
        const { namespace, status } = open(from, request.namespace)
        return OperationCodec.replies.listing.encode({
          status,
          ...(namespace === undefined || status !== "ok"
            ? { bucket: request.bucket, floor: 0, forget: 0, items: [] }
            : Repair.listing(namespace.replica, request.bucket, now))
        })
      }
      case "WANT": {
        const { namespace, status } = open(from, request.namespace)
        const copies = namespace === undefined || status !== "ok"
          ? []
          : Repair.copies(namespace.replica, request.keys, now)
        return OperationCodec.replies.copies.encode({ status, copies })
      }
      case "METRICS":
        return OperationCodec.replies.report.encode({ json: host.metrics(request.namespace) })
      case "CHECKSUM":
        return OperationCodec.replies.report.encode({ json: host.checksum(request.namespace, request.key) })
      case "RESET":
        host.reset(request.namespace)
        return OperationCodec.replies.report.encode({ json: "true" })
    }
  }

  const sendSlice = (from: Destination, request: number, offset: number, pieces: number): void => {
    const slice = Pull.slice(server, from.id, request, offset, pieces, host.pieceBytes, host.time.ticks())
    if (slice === undefined) {
      host.send(from, { _tag: "REPLY", request, total: 0, offset: 1, crc: 0, bytes: new Uint8Array(0) })
      return
    }
    for (const piece of slice) host.send(from, { _tag: "REPLY", request, ...piece })
  }

  return {
    onRequest: (from, request) => {
      // A request that is repeated because its answer was lost is answered with the same bytes.
      if (!Pull.has(server, from.id, request.request, host.time.ticks())) {
        Pull.put(server, from.id, request.request, answer(from, request), host.time.ticks())
      }
      sendSlice(from, request.request, 0, firstPieces)
    },
    onPull: (from, pull) =>
      sendSlice(
        from,
        pull.request,
        pull.offset,
        Math.max(1, Math.min(firstPieces, Math.ceil(pull.bytes / host.pieceBytes)))
      ),
    sweep: () => Pull.expire(server, host.time.ticks())
  }
}
