/**
 * What this process holds, and what it allocates.
 *
 * Held: `heapUsed + external` after collections of garbage that were forced. `external` has the array buffers in it
 * already (`arrayBuffers` is a part of it, not a third summand); what `malloc` adds to each of them shows in `rss` only.
 *
 * Allocated: Node 24's V8 does not count it (`total_allocated_bytes` came later), so that a process with a young
 * generation larger than all that is allocated reads `heapUsed + external` before and after; `GCProfiler` witnesses that
 * nothing was collected in between.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { GCProfiler } from "node:v8"
import { expect } from "./Suite.ts"

export interface Reading {
  readonly heapBytes: number
  readonly externalBytes: number
  readonly rssBytes: number
  readonly heldBytes: number
}

export const read = (): Reading => {
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss, heldBytes: heapUsed + external }
}

/** Collects all garbage there is. More than once, as what a collection finalises is collected by the next. */
export const collect = async (): Promise<void> => {
  expect(globalThis.gc !== undefined, "the process runs without --expose-gc")
  for (let round = 0; round < 4; round++) {
    globalThis.gc()
    await sleep(20)
  }
}

/** What is held once the garbage is gone. */
export const settled = async (): Promise<Reading> => {
  await collect()
  return read()
}

/** For a process that is to allocate without collecting: MiB of each half of the young generation. */
export const youngFlags = ["--min-semi-space-size=512", "--max-semi-space-size=512"]

/** Begins to count what is allocated; the end returns it, or `undefined` when garbage was collected meanwhile. */
export const counting = async (): Promise<() => number | undefined> => {
  await collect()
  const profiler = new GCProfiler()
  profiler.start()
  const before = read().heldBytes
  return () => {
    const allocated = read().heldBytes - before
    return profiler.stop().statistics.length === 0 ? allocated : undefined
  }
}

/** The highest readings while it runs. */
export const watching = (
  also: () => { readonly [name: string]: number }
): () => { readonly [name: string]: number } => {
  const highest: { [name: string]: number } = {}
  const look = (): void => {
    for (const [name, value] of Object.entries({ ...read(), ...also() })) {
      highest[name] = Math.max(highest[name] ?? 0, value)
    }
  }
  look()
  const timer = setInterval(look, 20)
  return () => {
    look()
    clearInterval(timer)
    return highest
  }
}
