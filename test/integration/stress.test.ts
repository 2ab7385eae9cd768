/** The stress test as a command: it passes, it finds what is wrong, and it leaves no process behind. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Outcome } from "../../src/runtime/stress/Outcome.ts"
import { eventually } from "./support/Children.ts"

const bin = fileURLToPath(new URL("../../src/bin.ts", import.meta.url))

/** A running command and what it said so far. */
class Stress {
  readonly process: ChildProcess
  readonly closed: Promise<unknown>
  out = ""
  errors = ""

  constructor(args: ReadonlyArray<string>) {
    const { NODE_OPTIONS: _, ...env } = process.env
    this.process = spawn(process.execPath, [bin, "stress", ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
    this.process.stdout?.on("data", (chunk) => this.out += String(chunk))
    this.process.stderr?.on("data", (chunk) => this.errors += String(chunk))
    this.closed = once(this.process, "close")
  }

  /** The members' process ids, once they are all open. */
  async pids(): Promise<ReadonlyArray<number>> {
    const found = await eventually(
      async () => /^processes (.*)$/m.exec(this.errors)?.[1],
      (line) => line !== undefined || this.process.exitCode !== null,
      60_000
    )
    assert.isDefined(found, this.errors)
    return String(found).split(", ").map(Number)
  }
}

const running = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const allEnd = (pids: ReadonlyArray<number>): Promise<ReadonlyArray<number>> =>
  eventually(async () => pids.filter(running), (left) => left.length === 0, 15_000)

const withStress = async (args: ReadonlyArray<string>, test: (stress: Stress) => Promise<void>): Promise<void> => {
  const stress = new Stress(args)
  try {
    await test(stress)
  } finally {
    stress.process.kill("SIGKILL")
    await stress.closed
  }
}

describe("mccache stress", () => {
  it("passes with three members while 10 % of all datagrams are dropped, and tells what was done", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mccache-stress-"))
    const page = join(directory, "report.html")
    try {
      await withStress(
        ["-C", "3", "-R", "2 seconds", "-A", "0.001", "-T", "10", "-S", "1", "--json", "--report", page],
        async (stress) => {
          const pids = await stress.pids()
          await stress.closed
          assert.strictEqual(stress.process.exitCode, 0, stress.errors)
          const outcome: Outcome = JSON.parse(stress.out)
          assert.deepStrictEqual(outcome.problems, [])
          assert.strictEqual(outcome.result, "pass")
          assert.deepStrictEqual(outcome.differences, [])
          assert.strictEqual(outcome.plan.seed, 1)
          assert.isAtLeast(outcome.ranMillis, 2_000)
          assert.isNotNull(outcome.drainMillis)
          assert.isAbove(outcome.keys, 50)
          assert.deepStrictEqual(outcome.members.map(({ pid }) => pid), pids)
          for (const member of outcome.members) {
            assert.strictEqual(member.entries, outcome.keys)
            for (const name of ["lookups", "inserts", "updates", "deletes", "spikeHits", "lost"] as const) {
              assert.isAbove(member[name], 0, name)
            }
            assert.strictEqual(
              member.lookups + member.inserts + member.updates + member.deletes,
              member.operations
            )
          }
          await allEnd(pids)
          assert.include(await readFile(page, "utf8"), "<svg")
        }
      )
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it("fails when a member is killed, and ends the others", () =>
    withStress(["-C", "3", "-R", "60 seconds", "--json"], async (stress) => {
      const pids = await stress.pids()
      process.kill(pids[1], "SIGKILL")
      await stress.closed
      assert.strictEqual(stress.process.exitCode, 1, stress.errors)
      const outcome: Outcome = JSON.parse(stress.out)
      assert.strictEqual(outcome.result, "fail")
      assert.deepStrictEqual(outcome.problems, [`member 2 (process ${pids[1]}) ended with SIGKILL during the run`])
      assert.deepStrictEqual(outcome.members.map(({ member }) => member), [1, 3])
      assert.isBelow(outcome.ranMillis, 30_000)
      await allEnd(pids)
    }))

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    it(`leaves no process behind after ${signal}`, () =>
      withStress(["-C", "2", "-R", "60 seconds"], async (stress) => {
        const pids = await stress.pids()
        stress.process.kill(signal)
        await stress.closed
        await allEnd(pids)
        assert.strictEqual(stress.out, "")
      }))
  }

  it("refuses a knob that is out of bounds, and says what is accepted", () =>
    withStress(["-C", "0"], async (stress) => {
      await stress.closed
      assert.isAbove(stress.process.exitCode ?? 0, 0)
      assert.match(stress.errors + stress.out, /TEST_CLUSTER_SIZE is "0"; accepted: a whole number of members from 1/)
    }))
})
