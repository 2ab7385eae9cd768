/**
 * A take of the model: what `services/Take` does with requests and answers, in single steps. A request is answered at the
 * donor in one step and the answer arrives in another, in any order, as late as the run likes.
 */
import * as Repair from "../../../src/domain/Repair.ts"
import type { Knowledge } from "./ModelKnowledge.ts"
import type { Member } from "./ModelMember.ts"

/** A request, and its answer once the donor gave it. */
interface Exchange {
  readonly ask: { readonly bucket: number } | { readonly keys: ReadonlyArray<string> } | "digest"
  receive: (() => void) | undefined
}

export type Ending = "done" | "unfinished" | "retry" | "later"

export class Take {
  readonly taker: Member
  readonly donor: Member
  readonly kind: "join" | "repair"
  readonly sameSizes: boolean
  readonly step: number
  /** What the donor knew to be gone when it told its digest or, in mode 0, when the take began. */
  knew: Knowledge
  /** The donor's promises, which begin anew when it is reset: then it is no one who knew. */
  readonly #promises: Knowledge
  /** Copies that came. */
  copies = 0
  readonly #repair: Repair.Repair
  readonly #exchanges: Array<Exchange> = []
  #retry = false

  /** `owed`: something that the donor wrote was missed, so that the take is conclusive also between different sizes. */
  constructor(
    taker: Member,
    donor: Member,
    kind: "join" | "repair",
    owed: boolean,
    buckets: ReadonlyArray<number>,
    step: number
  ) {
    this.taker = taker
    this.donor = donor
    this.kind = kind
    this.step = step
    this.sameSizes = taker.namespace.sizing === donor.namespace.sizing
    this.#promises = donor.knowledge
    this.knew = donor.knowledge.snapshot()
    this.#repair = Repair.start(taker.namespace.replica, kind, kind === "join" || owed || this.sameSizes)
    // Mode 0 lists every bucket: these are all in which there can be something.
    if (taker.namespace.options.mode !== 0) this.#ask("digest")
    else for (const bucket of buckets) this.#ask({ bucket })
  }

  /** Whether what the donor knew counts as known to the taker, once the take is done. */
  get binds(): boolean {
    return this.sameSizes && this.donor.knowledge === this.#promises
  }

  #ask(ask: Exchange["ask"]): void {
    this.#exchanges.push({ ask, receive: undefined })
  }

  /** A request is answered, or an answer arrives. How the take ended, if so. */
  proceed(pick: number): Ending | undefined {
    const exchange = this.#exchanges[pick % this.#exchanges.length]
    if (exchange.receive === undefined) {
      if (!this.donor.namespace.caughtUp) return this.end("later")
      exchange.receive = this.#answer(exchange.ask)
      return undefined
    }
    this.#exchanges.splice(this.#exchanges.indexOf(exchange), 1)
    exchange.receive()
    if (this.#retry) return this.end("retry")
    if (this.#exchanges.length > 0) return undefined
    return Repair.finish(this.#repair, this.taker.now()) ? "done" : "unfinished"
  }

  #answer(ask: Exchange["ask"]): () => void {
    const { replica } = this.donor.namespace
    const theirs = this.donor.now()
    if (ask === "digest") {
      this.knew = this.donor.knowledge.snapshot()
      const digest = Repair.digest(replica, theirs)
      return () => {
        const next = Repair.onDigest(this.#repair, digest, this.taker.now())
        if (next._tag === "Retry") this.#retry = true
        else for (const bucket of next.buckets) this.#ask({ bucket })
      }
    }
    if ("bucket" in ask) {
      const listing = Repair.listing(replica, ask.bucket, theirs)
      return () => {
        this.taker.namespace.listed(listing.items)
        const items = Repair.onListing(this.#repair, listing, this.taker.now())
        // Portions: the first goes by itself.
        if (items.length > 0) this.#ask({ keys: [String(items[0].key)] })
        if (items.length > 1) this.#ask({ keys: items.slice(1).map(({ key }) => String(key)) })
      }
    }
    const copies = Repair.copies(replica, ask.keys, theirs)
    return () => {
      this.copies += copies.length
      Repair.onCopies(this.#repair, copies, this.taker.now())
    }
  }

  end<E extends Ending>(how: E): E {
    Repair.abandon(this.#repair)
    return how
  }
}
