/** `node:cluster`, which hands the sockets of its workers to the primary where it can: every process must hear everything. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { hostname } from "node:os"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { group } from "./support/Children.ts"

const program = fileURLToPath(new URL("support/primary.ts", import.meta.url))

describe("the primary and the workers of a cluster", () => {
  it("share a cache in one group, also with a worker that takes the place of one that was killed", async () => {
    // A killed worker is removed after 2 s here; the default is 15 s, and the way the same.
    const options = { ...group(), protocol: { heartbeatMillis: 200, suspectMillis: 700, removeMillis: 2_000 } }
    const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(options)], {
      timeout: 60_000,
      killSignal: "SIGKILL"
    })
    const { code, entries, labels, primary, workers } = JSON.parse(stdout)
    assert.strictEqual(new Set([primary, ...workers]).size, 4)
    assert.deepStrictEqual(
      labels.sort(),
      [primary, workers[0], workers[1]].map((pid) => `${hostname()}:${pid}`).sort()
    )
    // What the killed one wrote stays, what was deleted is gone, and the one that was told to go ended by itself.
    assert.deepStrictEqual(
      entries,
      workers.map((pid: number, index: number) => [`worker ${index + 1}`, pid])
    )
    assert.strictEqual(code, 0)
  })
})
