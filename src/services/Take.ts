/**
 * One take: this member pulls what it lacks of a namespace from a donor, bucket by bucket, as `Repair` says. It asks for the
 * digest, for the listings of what differs, and for copies of what is wanted, several at a time: round trips overlap, and
 * what is under way is bounded in requests and in bytes. Owned by `AntiEntropy`, which decides when and from whom.
 */
import type { Key } from "../domain/Key.ts"
import type { Member } from "../domain/Membership.ts"
import { type Status, wantKeysMax } from "../domain/Operation.ts"
import * as OperationCodec from "../domain/OperationCodec.ts"
import * as Repair from "../domain/Repair.ts"
import type { MemberId } from "../domain/Stamp.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"
import type { Requests } from "./Requests.ts"

/**
 * How a take ended. `closed`: the donor does not have the namespace, `later`: not yet. `unfinished`: something changed
 * meanwhile, so that nothing was concluded. `retry`: the two do not agree on the time yet. `failed`: the donor did not
 * answer.
 */
export type Ending = "done" | "closed" | "later" | "unfinished" | "retry" | "failed"

export interface Host {
  readonly time: MemberTime
  readonly requests: Requests
  /** What one datagram carries. */
  readonly pieceBytes: number
}

export interface Take {
  readonly donor: Member
  readonly kind: "join" | "repair"
  /** Records that came so far. */
  readonly records: () => number
  /**
   * Of a join: up to which number of each sender the donor had folded everything when it told its digest. Of one that ended with
   * `later`: up to which number of the donor itself nothing is to be had.
   */
  readonly settled: () => ReadonlyMap<MemberId, number>
  /** Ends it, as the caller says. */
  readonly end: (how: Ending) => void
}

/** What one WANT asks for: a request fits a datagram, its answer is a few. */
interface Portion {
  readonly keys: ReadonlyArray<Key>
  /** What the answer takes, about. */
  readonly bytes: number
}

const endingOf = (status: Exclude<Status, "ok">): Ending => status === "later" ? "later" : "closed"

/** What is under way: a socket's buffer holds the answers. */
const requestsAtOnce = 8
const bytesAtOnce = 524_288
/** The bytes that one WANT asks for. */
const wantBytesMax = 131_072

/** Begins a take. `ended` is called once, after this has returned. */
export const start = (
  { pieceBytes, requests, time }: Host,
  { anyQuantum, conclusive, donor, kind, namespace }: {
    readonly donor: Member
    readonly kind: Take["kind"]
    readonly namespace: Namespace
    /** Whether what the donor does not list is gone, even if it is of another size. */
    readonly conclusive: boolean
    /** Whether digests are compared although the two do not agree on the time. */
    readonly anyQuantum: boolean
  },
  ended: (take: Take, how: Ending) => void
): Take => {
  const { name, replica } = namespace
  const sameSizes = (donor.summaries.get(name)?.sizing ?? namespace.sizing) === namespace.sizing
  const repair = Repair.start(replica, anyQuantum ? "join" : kind, conclusive || sameSizes)
  const asked = new Set<number>()
  /** Buckets to be listed yet. */
  let buckets: Array<number> = []
  /** Listed, and not asked for yet. */
  const portions: Array<Portion> = []
  /** What is asked for and under way, about. */
  let bytesAsked = 0
  let records = 0
  let settled: ReadonlyMap<MemberId, number> = new Map()
  let over = false

  const end = (how: Ending): void => {
    if (over) return
    over = true
    for (const request of asked) requests.cancel(request)
    Repair.abandon(repair)
    ended(take, how)
  }

  const ask = (build: Parameters<Requests["ask"]>[1], answered: (reply: Uint8Array) => void): void => {
    let request = 0
    request = requests.ask(donor, build, (reply) => {
      asked.delete(request)
      if (!over) answered(reply)
    }, () => end("failed"))
    asked.add(request)
  }

  const begin = (): void => {
    if (replica.options.mode === 0) {
      buckets = Array.from({ length: 256 }, (_, bucket) => bucket)
      return advance()
    }
    const { fingerprint } = namespace
    ask((request) => ({ _tag: "DIGEST", request, namespace: name, fingerprint, joins: kind === "join" }), (bytes) => {
      const reply = OperationCodec.replies.digest.decode(bytes)
      if (reply === undefined) return end("failed")
      settled = new Map(reply.settled.map(({ number, sender }) => [sender, number]))
      if (reply.status !== "ok") return end(endingOf(reply.status))
      const next = Repair.onDigest(repair, reply, time.now())
      if (next._tag === "Retry") return end("retry")
      buckets = [...next.buckets]
      advance()
    })
  }

  /** Keeps requests under way, and concludes when all is in. What was listed is fetched before more is listed. */
  const advance = (): void => {
    while (asked.size < requestsAtOnce) {
      const portion = portions[0]
      if (portion === undefined) {
        const bucket = buckets.shift()
        if (bucket === undefined) break
        list(bucket)
      } else if (bytesAsked === 0 || bytesAsked + portion.bytes <= bytesAtOnce) {
        portions.shift()
        want(portion)
      } else break
    }
    if (asked.size === 0) end(Repair.finish(repair, time.now()) ? "done" : "unfinished")
  }

  const list = (bucket: number): void =>
    ask((request) => ({ _tag: "LISTING", request, namespace: name, bucket }), (bytes) => {
      const reply = OperationCodec.replies.listing.decode(bytes)
      if (reply === undefined || reply.bucket !== bucket) return end("failed")
      if (reply.status !== "ok") return end(endingOf(reply.status))
      namespace.listed(reply.items)
      divide(Repair.onListing(repair, reply, time.now()))
      advance()
    })

  /** Divides what is wanted into portions. */
  const divide = (items: ReadonlyArray<Repair.Item>): void => {
    // A character takes up to three bytes, but hardly ever does; a request that takes more is sent in parts.
    const keyBytesMax = pieceBytes / 2
    let keys: Array<Key> = []
    let bytes = 0
    let keyBytes = 0
    for (const item of items) {
      const isFull = bytes + item.bytes > wantBytesMax || keyBytes > keyBytesMax || keys.length >= wantKeysMax
      if (keys.length > 0 && isFull) {
        portions.push({ keys, bytes })
        keys = []
        bytes = 0
        keyBytes = 0
      }
      keys.push(item.key)
      bytes += item.bytes
      keyBytes += typeof item.key === "number" ? 9 : 3 + item.key.length
    }
    if (keys.length > 0) portions.push({ keys, bytes })
  }

  const want = ({ bytes, keys }: Portion): void => {
    bytesAsked += bytes
    ask((request) => ({ _tag: "WANT", request, namespace: name, keys }), (reply) => {
      bytesAsked -= bytes
      const copies = OperationCodec.replies.copies.decode(reply)
      if (copies === undefined) return end("failed")
      if (copies.status !== "ok") return end(endingOf(copies.status))
      records += copies.copies.length
      Repair.onCopies(repair, copies.copies, time.now())
      advance()
    })
  }

  const take: Take = { donor, kind, records: () => records, settled: () => settled, end }
  begin()
  return take
}
