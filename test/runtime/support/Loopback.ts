/** Members over real loopback sockets, in one process. */
import { assert } from "@effect/vitest"
import type { Reason } from "../../../src/domain/McCacheError.ts"
import type { Options, Standalone } from "../../../src/standalone.ts"
import { McCacheError, open } from "../../../src/standalone.ts"

/** A group of its own for each run: several may run on this machine at once. */
export const settings: Options = {
  cluster: `standalone-${process.pid}`,
  interface: "127.0.0.1",
  multicastIp: `224.0.0.3:${20_000 + process.pid % 20_000}`
}

export const start = (options: Options = {}): Promise<Standalone> => open({ ...settings, ...options }, { env: {} })

/** Looks again until the condition holds, or fails the test in time. */
export const until = async (condition: () => boolean, what: string): Promise<void> => {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not within 10 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The `McCacheError` that is thrown: it must have the reason. */
export const refused = (evaluate: () => unknown, tag: Reason["_tag"]): McCacheError => {
  try {
    evaluate()
  } catch (error) {
    assert.instanceOf(error, McCacheError)
    assert.strictEqual(error.reason._tag, tag)
    return error
  }
  return assert.fail(`expected ${tag}: ${evaluate}`)
}

export const rejected = async (promise: Promise<unknown>, tag: Reason["_tag"]): Promise<McCacheError> => {
  const outcome = await promise.then((value) => ({ value }), (error: unknown) => ({ error }))
  return refused(() => {
    if ("error" in outcome) throw outcome.error
    return outcome.value
  }, tag)
}
