/**
 * What all members did and saw, judged by the invariants (section 12 of the design) without any code of the product: its
 * numbers name what is broken. Members are told apart by their ids, so that a restarted process is a new one.
 *
 * Facts of one member come in its order. Those of several come in any: a value may be read elsewhere before its writer
 * told of it, so what was written is compared when both are known.
 */
import type { Fact, Held, Stamp } from "./Conversation.ts"

export const compare = ([clock, writer]: Stamp, [otherClock, otherWriter]: Stamp): number =>
  clock !== otherClock ? clock - otherClock : writer < otherWriter ? -1 : writer > otherWriter ? 1 : 0

/** Covers every stamp of the clock value, and none. */
const above = (clock: number): Stamp => [clock, "g"]
const below = (clock: number): Stamp => [clock, ""]

interface Value {
  readonly digest: string
  written: boolean
}

/** Of one member. */
interface Seen {
  readonly label: string
  /** The greatest stamp read, by key. */
  readonly read: Map<string, Stamp>
  /** The greatest stamp known to be gone there, by key. */
  readonly gone: Map<string, Stamp>
  /** The greatest stamp of a value that was written or arrived there, by key. */
  readonly received: Map<string, Stamp>
  /** It ended before it told of everything that it wrote. */
  killed: boolean
}

const raise = (stamps: Map<string, Stamp>, key: string, stamp: Stamp): void => {
  const known = stamps.get(key)
  if (known === undefined || compare(stamp, known) > 0) stamps.set(key, stamp)
}

const show = (key: string, [clock, writer]: Stamp): string => `${key} at ${clock}@${writer.slice(0, 8)}`

export class History {
  readonly violations: Array<string> = []
  /** Corrections of clocks, and waits that failed: part of some scenarios, and what explains a failure of others. */
  readonly events: Array<string> = []
  readonly #members = new Map<string, Seen>()
  readonly #values = new Map<string, Map<string, Value>>()
  /** Values remembered for a key; older ones are not judged any more. */
  readonly #valuesMax: number
  facts = 0

  constructor(valuesMax = Infinity) {
    this.#valuesMax = valuesMax
  }

  #broken(invariant: number, seen: Seen, text: string): void {
    this.violations.push(`invariant ${invariant}, ${seen.label}: ${text}`)
  }

  begin(id: string, label: string): void {
    this.#members.set(id, { label, read: new Map(), gone: new Map(), received: new Map(), killed: false })
  }

  killed(id: string): void {
    this.#of(id).killed = true
  }

  #of(id: string): Seen {
    const seen = this.#members.get(id)
    if (seen === undefined) throw new Error(`nobody is called ${id}`)
    return seen
  }

  /** Takes in one fact of a member. */
  take(id: string, fact: Fact): void {
    this.facts++
    const seen = this.#of(id)
    const [kind, key] = fact
    switch (kind) {
      case "event":
        return void this.events.push(`${seen.label}: ${fact[2]}`)
      case "set": {
        this.#value(seen, key, fact[2], fact[3], true)
        return raise(seen.received, key, fact[2])
      }
      case "gone":
        return raise(seen.gone, key, fact[2])
      case "miss":
        return
      case "read":
        return this.#read(seen, key, fact[2], fact[3])
      case "change": {
        const [, , type, stamp] = fact
        if (type === "set") return raise(seen.received, key, stamp)
        // The stamp names who wrote what went, not who deleted it: of a delete only the clock is known.
        if (type === "delete") return raise(seen.gone, key, below(stamp[0]))
        if (type === "clear" || type === "incoherent") return raise(seen.gone, key, above(stamp[0]))
      }
    }
  }

  #read(seen: Seen, key: string, stamp: Stamp, digest: string): void {
    this.#value(seen, key, stamp, digest, false)
    const gone = seen.gone.get(key)
    if (gone !== undefined && compare(stamp, gone) <= 0) {
      this.#broken(2, seen, `${show(key, stamp)} is read again after ${show(key, gone)} was gone`)
    }
    const read = seen.read.get(key)
    if (read !== undefined && compare(stamp, read) < 0) {
      this.#broken(3, seen, `${show(key, stamp)} is read after ${show(key, read)}`)
    }
    raise(seen.read, key, stamp)
    raise(seen.received, key, stamp)
  }

  #value(seen: Seen, key: string, stamp: Stamp, digest: string, written: boolean): void {
    let values = this.#values.get(key)
    if (values === undefined) this.#values.set(key, values = new Map<string, Value>())
    const identity = stamp.join("@")
    const known = values.get(identity)
    if (known === undefined) {
      values.set(identity, { digest, written })
      if (values.size > this.#valuesMax) values.delete(values.keys().next().value ?? "")
      return
    }
    if (known.digest !== digest) {
      this.#broken(4, seen, `${show(key, stamp)} has the bytes ${digest}, and elsewhere ${known.digest}`)
    }
    known.written ||= written
  }

  /** Judges what members hold that are said to be coherent: invariants 1, 2 and 5, and 4 for all values ever read. */
  settle(held: ReadonlyMap<string, ReadonlyArray<Held>>): void {
    const all = [...held].map(([id, entries]) => ({
      seen: this.#of(id),
      entries: new Map(entries.map((entry) => [entry.key, entry]))
    }))
    for (const { entries, seen } of all) {
      for (const { digest, key, stamp } of entries.values()) this.#read(seen, key, stamp, digest)
    }
    const keys = new Set(all.flatMap(({ entries, seen }) => [...entries.keys(), ...seen.received.keys()]))
    for (const key of keys) this.#settleKey(key, all)
    if (![...this.#members.values()].some(({ killed }) => killed)) this.#settleValues(all[0].seen)
  }

  #settleKey(
    key: string,
    all: ReadonlyArray<{ readonly seen: Seen; readonly entries: ReadonlyMap<string, Held> }>
  ): void {
    const received = newest(all.map(({ seen }) => seen.received.get(key)))
    const gone = newest(all.map(({ seen }) => seen.gone.get(key)))
    const first = all[0].entries.get(key)
    for (const { entries, seen } of all) {
      const entry = entries.get(key)
      const same = first === undefined || entry === undefined
        ? first === entry
        : compare(first.stamp, entry.stamp) === 0 && first.crc === entry.crc && first.digest === entry.digest
      if (!same) {
        const [here, there] = [entry, first].map((one) => one === undefined ? "nothing" : show(key, one.stamp))
        this.#broken(1, seen, `${key} is ${here}, and at ${all[0].seen.label} ${there}`)
      }
      if (entry === undefined) {
        if (received !== undefined && (gone === undefined || compare(received, gone) > 0)) {
          this.#broken(5, seen, `${show(key, received)} is lost, and nobody deleted it`)
        }
        continue
      }
      if (gone !== undefined && compare(entry.stamp, gone) <= 0) {
        this.#broken(2, seen, `${show(key, entry.stamp)} is held, and was gone at ${show(key, gone)}`)
      }
      if (received !== undefined && compare(entry.stamp, received) < 0) {
        this.#broken(5, seen, `${show(key, entry.stamp)} is held, and ${show(key, received)} was there`)
      }
    }
  }

  #settleValues(seen: Seen): void {
    if (this.#valuesMax !== Infinity) return
    for (const [key, values] of this.#values) {
      for (const [identity, { written }] of values) {
        if (!written) this.#broken(4, seen, `${key} at ${identity} was read, and nobody wrote it`)
      }
    }
  }

  /** Fails with all that was broken so far. */
  check(): void {
    if (this.violations.length === 0) return
    const shown = this.violations.slice(0, 20).join("\n")
    throw new Error(`${this.violations.length} violations:\n${shown}`)
  }
}

const newest = (stamps: ReadonlyArray<Stamp | undefined>): Stamp | undefined =>
  stamps.reduce((left, right) => left === undefined || (right !== undefined && compare(right, left) > 0) ? right : left)
