/**
 * What the history says of one member of the model, kept apart from the product's own state: which stamps it folded, which
 * it knows to be gone, what was read. A key may show only what this allows.
 */
import type { Entry } from "../../../src/domain/Record.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"

/** A value that was written, or will be when its fill ends. Its number is its value. */
export interface Birth {
  readonly key: number
  readonly clock: number
  readonly writer: Stamp.MemberId
  /** When it was stamped, in steps of the run. */
  readonly step: number
  /** Of a computation. */
  readonly fill: boolean
}

/** Gone at a donor of a repair in mode 0, which brings no tombstones of keys that are not held: what was written later is
 * another matter. */
interface Told {
  readonly stamp: Stamp.Stamp
  readonly before: number
}

/** Greatest stamps by key. */
export type Stamps = Array<Stamp.Stamp | undefined>

export const raise = (stamps: Stamps, key: number, stamp: Stamp.Stamp): void => {
  const known = stamps[key]
  if (known === undefined || Stamp.compare(stamp, known) > 0) stamps[key] = { clock: stamp.clock, writer: stamp.writer }
}

export class Knowledge {
  /** Folded, whatever became of it: nothing older is readable again. */
  readonly seen: Stamps = []
  /** Deleted or collided: not readable again. */
  readonly dead: Stamps = []
  /** Expired here, or read here and absent since: not readable again here. */
  readonly gone: Stamps = []
  readonly #read: Stamps = []
  readonly #told: Array<Array<Told>> = []
  /** The greatest clear. */
  floor = 0
  /** Mode 2, by key: when the latest of the others' writes that were folded was written, in steps of the run. */
  readonly written: Array<number | undefined> = []
  /** Mode 2: everything that began before this step was dropped. */
  dropped = 0

  /** A copy, for a repair that begins now. */
  snapshot(): Knowledge {
    const copy = new Knowledge()
    copy.seen.push(...this.seen)
    copy.dead.push(...this.dead)
    copy.floor = this.floor
    return copy
  }

  /** Repaired or welcomed by a member that knew this: its tombstones and lines came along. */
  learn(from: Knowledge): void {
    for (const [key, stamp] of from.seen.entries()) if (stamp !== undefined) raise(this.seen, key, stamp)
    for (const [key, stamp] of from.dead.entries()) if (stamp !== undefined) raise(this.dead, key, stamp)
    this.floor = Math.max(this.floor, from.floor)
  }

  /** As `learn`, in mode 0: of what existed before `step`, and at first hand only, as not all tombstones come along. */
  learnPartly(from: Knowledge, step: number): void {
    for (const [key, stamp] of from.dead.entries()) if (stamp !== undefined) this.#tell(key, { stamp, before: step })
    this.floor = Math.max(this.floor, from.floor)
  }

  #tell(key: number, told: Told): void {
    const list = this.#told[key] ?? []
    if (list.some((known) => known.before >= told.before && Stamp.compare(known.stamp, told.stamp) >= 0)) return
    this.#told[key] = [...list, told]
  }

  /** Nothing is readable for the key. */
  absent(key: number): void {
    const last = this.#read[key]
    if (last !== undefined) raise(this.gone, key, last)
  }

  /** Notes what is read for a key; why it must not be, if so. */
  read(key: number, entry: Entry, birth: Birth | undefined): string | undefined {
    if (birth === undefined || birth.key !== key || birth.clock !== entry.clock || birth.writer !== entry.writer) {
      return "invariant 4: another value than was written under the stamp"
    }
    if (entry.clock <= this.floor) return "invariant 2: from before a clear"
    const dead = this.dead[key]
    if (dead !== undefined && Stamp.compare(entry, dead) <= 0) return `invariant 2: deleted at ${Stamp.format(dead)}`
    for (const { before, stamp } of this.#told[key] ?? []) {
      if (Stamp.compare(entry, stamp) <= 0 && birth.step < before) {
        return `invariant 2: deleted at ${Stamp.format(stamp)}, as a donor knew`
      }
    }
    const gone = this.gone[key]
    if (gone !== undefined && Stamp.compare(entry, gone) <= 0) return `invariant 2: gone at ${Stamp.format(gone)}`
    const seen = this.seen[key]
    if (seen !== undefined && Stamp.compare(entry, seen) < 0) return `invariant 3: ${Stamp.format(seen)} was folded`
    const last = this.#read[key]
    if (last !== undefined && Stamp.compare(entry, last) < 0) return `invariant 3: ${Stamp.format(last)} was read`
    if (birth.fill && birth.step < (this.written[key] ?? 0)) {
      return "rule 10: computed before a write that was folded"
    }
    if (birth.step < this.dropped) return "mode 2: from before everything was dropped"
    if (last === undefined || last.clock !== entry.clock || last.writer !== entry.writer) {
      this.#read[key] = { clock: entry.clock, writer: entry.writer }
    }
    return undefined
  }
}
