/** `mccache top` against members over real sockets: as a script calls it, and on a terminal. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import type { Figures } from "../../src/runtime/cli/TopFigures.ts"
import { coherent, eventually, group, withChildren } from "./support/Children.ts"
import { bin, environment, mccache, run } from "./support/Spawned.ts"

/** Gives a program a terminal of its own. */
const script = spawnSync("script", ["--version"]).status === 0

describe("mccache top", () => {
  it("tells a script who is there, what they hold, and that it is equal", () =>
    withChildren(async (start) => {
      const options = group()
      const members = await Promise.all([start(options), start(options)])
      for (let index = 0; index < 7; index++) await members[0].ask("set", `k${index}`, index)
      await coherent(members, 7, 5_000)
      const env = environment(options)
      const [json, text] = await Promise.all([mccache(["top", "--json"], env), mccache(["top"], env)])

      assert.deepStrictEqual([json.code, json.err], [0, ""])
      const figures: Figures = JSON.parse(json.out)
      // The other observer, and both members.
      assert.isAtLeast(figures.members.length, 2)
      assert.strictEqual(figures.members.filter(({ entries }) => entries === 7).length, 2)
      const [namespace] = figures.namespaces
      assert.deepStrictEqual(
        [namespace.name, namespace.members, namespace.entriesMin, namespace.entriesMax, namespace.copies.type],
        ["n", 2, 7, 7, "equal"]
      )
      assert.strictEqual(figures.totals.outPerSecond, 0)

      // Its output is no terminal, so that it prints one frame and ends.
      assert.deepStrictEqual([text.code, text.err], [0, ""])
      assert.notInclude(text.out, "\x1b")
      assert.match(text.out, /^n +2 +7 .*equal$/m)
    }))

  it("says that a member does not answer, and ends with 3", () =>
    withChildren(async (start) => {
      const options = group()
      const members = await Promise.all([start(options), start(options)])
      const running = mccache(["top", "--json"], environment(options))
      // Both have met it. It takes a sample a second, two at least.
      for (const member of members) {
        await eventually(
          async () => (await member.ask("members") as ReadonlyArray<unknown>).length,
          (count) => count === 3,
          10_000
        )
      }
      members[1].signal("SIGSTOP")
      const { code, err, out } = await running
      members[1].signal("SIGCONT")
      const figures: Figures = JSON.parse(out)
      assert.deepStrictEqual([figures.totals.members, figures.totals.answered], [2, 1])
      assert.sameMembers(figures.members.map(({ entries, state }) => entries !== undefined && state === "ready"), [
        true,
        false
      ])
      assert.strictEqual(code, 3)
      assert.include(err, "did not answer")
    }))

  it("says what is wrong with its flags and settings, and ends with 2", async () => {
    const { code, err, out } = await mccache(["top", "--interface", "nope"], environment())
    assert.strictEqual(code, 2)
    assert.strictEqual(out, "")
    assert.match(err, /^mccache: MCCACHE_INTERFACE is "nope", but no interface/)
    assert.notInclude(err, "    at ")
  })

  describe.runIf(script)(script ? "on a terminal" : "on a terminal, not here: there is no `script`", () => {
    const [enter, leave] = ["\x1b[?1049h", "\x1b[?25h\x1b[?1049l"]
    const onTerminal =
      `stty cols 90 rows 24; stty -g; sh -c 'echo "pid $$"; exec "${process.execPath}" "${bin}" top'; echo "code $?"; stty -g`

    const onceItShows = (
      env: NodeJS.ProcessEnv,
      shows: (out: string) => boolean,
      act: (write: (keys: string) => void, pid: number) => void
    ) => {
      let acted = false
      return run(["script", "-qec", onTerminal, "/dev/null"], env, (out, write) => {
        if (acted || !shows(out)) return
        acted = true
        act(write, Number(/pid (\d+)/.exec(out)?.[1]))
      })
    }

    const frames = (out: string): number => out.split("\x1b[?2026h").length - 1

    /** The terminal's modes are those from before, and it shows what it showed. */
    const restored = (out: string): void => {
      const lines = out.split("\r\n")
      const modes = lines.filter((line) => /^[0-9a-f]+(:[0-9a-f]+){10,}$/.test(line))
      assert.lengthOf(modes, 2, out.slice(-2_000))
      assert.strictEqual(modes[0], modes[1])
      assert.strictEqual(out.split(enter).length, 2)
      assert.strictEqual(out.split(leave).length, 2)
      assert.isAbove(out.lastIndexOf(leave), out.lastIndexOf("\x1b[?2026h"))
    }

    it("redraws over what is there, obeys keys, and leaves the terminal as it was", () =>
      withChildren(async (start) => {
        const options = group()
        await start(options)
        let pressed = 0
        const { out } = await run(
          ["script", "-qec", onTerminal, "/dev/null"],
          environment(options, { TERM: "xterm-256color" }),
          (out, write) => {
            if (pressed === 0 && frames(out) >= 2) write("oq"[pressed++])
            if (pressed === 1 && out.includes("o[out]") && out.includes("1 member")) write("oq"[pressed++])
          }
        )
        restored(out)
        assert.include(out, "code 0")
        assert.include(out, "1 member")
        // No frame begins with an empty screen.
        assert.notInclude(out, "\x1b[2J")
      }))

    for (const [how, keys] of [["Control-C", "\x03"], ["Escape", "\x1b"]] as const) {
      it(`${how} ends it, and the terminal is as it was`, async () => {
        const env = environment(group(), { TERM: "xterm" })
        const { out } = await onceItShows(env, (out) => frames(out) >= 2, (write) => write(keys))
        restored(out)
        assert.include(out, "code 0")
      })
    }

    for (const [signal, code] of [["SIGTERM", 130], ["SIGHUP", 129]] as const) {
      it(`${signal} ends it, and the terminal is as it was`, async () => {
        const env = environment(group(), { TERM: "xterm" })
        const { out } = await onceItShows(env, (out) => frames(out) >= 2, (_, pid) => process.kill(pid, signal))
        restored(out)
        assert.include(out, `code ${code}`)
      })
    }
  })
})
