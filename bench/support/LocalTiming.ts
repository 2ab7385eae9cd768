/**
 * Times batches of operations. A sample is the mean of one batch, so that reading the clock (about 30 ns) weighs nothing; the
 * p99 is that of the samples, and shows collections of garbage and the like, not the slowest single operation.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import * as Statistics from "./Statistics.ts"
import type { Figures } from "./Suite.ts"

export const batchOperations = 1_000

export interface Duration {
  readonly warmMillis: number
  readonly millis: number
  readonly samplesMin: number
}

const samplesMax = 2_000

/** Runs `step`, which returns the nanoseconds an operation of one batch took, until both time and samples suffice. */
export const samples = async (
  { millis, samplesMin, warmMillis }: Duration,
  step: (sample: number) => Promise<number>
): Promise<ReadonlyArray<number>> => {
  let sample = 0
  const warmUntil = performance.now() + warmMillis
  do {
    await step(sample++)
    await nextTurn()
  } while (performance.now() < warmUntil)
  const found: Array<number> = []
  const until = performance.now() + millis
  while (found.length < samplesMin || (performance.now() < until && found.length < samplesMax)) {
    found.push(await step(sample++))
    // Others have their turn: the outbox is drained, timers fire. It is not timed here.
    await nextTurn()
  }
  return found
}

/** What `work` took, in nanoseconds an operation. Work that is synchronous is not awaited: a turn of the queue is no part of it. */
export const timed = async (
  operations: number,
  work: () => number | Promise<number>,
  result: (got: number) => void
) => {
  const began = performance.now()
  const running = work()
  const got = typeof running === "number" ? running : await running
  const nanos = (performance.now() - began) * 1e6 / operations
  result(got)
  return nanos
}

/** Gives others their turn until nothing waits to be sent any more. */
export const drained = async (pending: () => boolean): Promise<void> => {
  do await nextTurn()
  while (pending())
}

/** As `timed`, until nothing waits to be sent any more. */
export const timedDrained = async (
  operations: number,
  work: () => number | Promise<number>,
  pending: () => boolean,
  result: (got: number) => void
) => {
  const began = performance.now()
  const running = work()
  const got = typeof running === "number" ? running : await running
  await drained(pending)
  const nanos = (performance.now() - began) * 1e6 / operations
  result(got)
  return nanos
}

export const figures = (name: string, found: ReadonlyArray<number>): Figures => ({
  [`${name}Nanos`]: Statistics.median(found),
  [`${name}P99Nanos`]: Statistics.quantile(found, 0.99)
})
