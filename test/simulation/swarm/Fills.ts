/**
 * Rule 10 of the design, by true time: what was computed is older than everything that happened to its key since its
 * computation began. Where clocks agree its stamp says so; in mode 2, where a fill is told nobody, it goes at the first
 * news of a write that was made after it began, as long as the clocks of the two are no more than the limit apart.
 */
import type { Key } from "../../../src/domain/Key.ts"
import * as Replica from "../../../src/domain/Replica.ts"
import * as Stamp from "../../../src/domain/Stamp.ts"
import { Violation } from "../../../src/runtime/testing/Checkers.ts"
import type { Cluster } from "../../../src/runtime/testing/Cluster.ts"
import * as History from "../../../src/runtime/testing/History.ts"

interface Write extends Stamp.Stamp {
  readonly atMillis: number
}

export interface Fills {
  /** A computation for a key begins at a member now. */
  readonly begin: (member: string, key: Key) => void
}

/** Watches the fills of a cluster; `broken` is told the first violation. */
export const watch = (
  cluster: Cluster,
  plan: { readonly agreeing: boolean; readonly jumping: boolean },
  now: () => number,
  broken: (violation: Violation) => void
): Fills => {
  const begun = new Map<string, number>()
  const writes = new Map<Key, Array<Write>>()
  const held = new Map<string, number>()
  const name = (member: string, key: Key): string => `${member}/${typeof key}:${key}`
  cluster.witness({
    folded: (member, { replica }, event, outcome) => {
      if (event._tag === "Clear" || outcome === "refused") return
      const { key } = event
      const id = name(member, key)
      const known = writes.get(key) ?? []
      if (event.origin === "local") {
        writes.set(key, known)
        known.push({ clock: event.clock, writer: event.writer, atMillis: now() })
      } else if (event.origin === "fill") {
        const since = begun.get(id)
        if (since === undefined || outcome !== "stored") return
        held.set(id, since)
        const overtaking = known.find((write) => write.atMillis >= since + 1 && Stamp.compare(write, event) < 0)
        if (plan.agreeing && overtaking !== undefined) {
          broken(
            new Violation(
              5,
              `a fill of ${History.show(key, event)} wins over ${
                Stamp.format(overtaking)
              }, written after it began to be computed`
            )
          )
        }
      } else if (replica.options.mode === 2 && !plan.jumping) {
        const entry = Replica.record(replica, key)
        const since = held.get(id)
        if (entry?.kind !== "entry" || !entry.filled || since === undefined) return
        const write = known.find(({ clock, writer }) => clock === event.clock && writer === event.writer)
        if (write !== undefined && write.atMillis >= since + 1) {
          broken(
            new Violation(
              5,
              `${member} holds a fill of ${History.show(key, entry)}, begun before ${
                Stamp.format(write)
              } was written, of which it heard`
            )
          )
        }
      }
    }
  })
  return { begin: (member, key) => void begun.set(name(member, key), now()) }
}
