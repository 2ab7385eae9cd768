/** Writes from one member to another, at the pace that a program has that yields now and then. */
import { setImmediate as nextTurn } from "node:timers/promises"
import type { Standalone, StandaloneCache } from "../../src/standalone.ts"
import * as LocalData from "./LocalData.ts"

const burst = 200

/** Sets so many different keys, each with a value of its own. Nothing is kept: the cache alone holds keys and values. */
export const fill = async (
  set: (key: string, value: LocalData.Value) => unknown,
  count: number,
  size: LocalData.ValueSize
): Promise<void> => {
  for (let index = 0; index < count; index++) {
    set(LocalData.key("short", "k", index), LocalData.value(size, index))
    if (index % burst === burst - 1) await nextTurn()
  }
}

/** As `fill`; and until every other member has all of it. */
export const fillAll = async (
  mccache: Standalone,
  cache: StandaloneCache<LocalData.Value>,
  count: number,
  size: LocalData.ValueSize
): Promise<void> => {
  await fill((key, value) => cache.set(key, value), count, size)
  await mccache.flush({ timeout: "60 seconds" })
}

/** Sets keys over and over for a time. Returns how many sets that were. */
export const load = async (
  cache: StandaloneCache<LocalData.Value>,
  keys: number,
  size: LocalData.ValueSize,
  seconds: number
): Promise<number> => {
  const names = LocalData.keys("short", "k", keys)
  const values = names.map((_, id) => LocalData.value(size, id))
  const until = performance.now() + 1_000 * seconds
  let sets = 0
  while (performance.now() < until) {
    for (let n = 0; n < burst; n++, sets++) cache.set(names[sets % keys], values[sets % keys])
    await nextTurn()
  }
  return sets
}

/** Until a condition holds, or an error that says for what it was waited. */
export const until = async (condition: () => boolean, what: string): Promise<void> => {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`It took more than 60 s until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
