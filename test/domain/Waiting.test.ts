/** The outbox, and the barriers that flush and ack wait at. */
import { assert, describe, it } from "@effect/vitest"
import * as Barriers from "../../src/domain/Barriers.ts"
import { Outbox, type Places } from "../../src/domain/Outbox.ts"
import { mulberry32 } from "../../src/runtime/NetworkFaults.ts"

describe("the outbox", () => {
  it("holds each key once, in the order of its first change, as a list would", () => {
    const random = mulberry32(1)
    const below = (bound: number): number => Math.floor(random() * bound)
    for (let run = 0; run < 200; run++) {
      const places: Places = { last: 0 }
      const keysMax = 3 + below(8)
      const outbox = new Outbox(places, keysMax)
      let model: Array<{ readonly key: string; readonly place: number }> = []
      let place = 0
      for (let step = 0; step < 150; step++) {
        const key = `k${below(12)}`
        const dice = random()
        if (dice < 0.55) {
          const known = model.some((each) => each.key === key)
          const fits = known || model.length < keysMax
          assert.strictEqual(outbox.add(key), fits)
          if (!fits) model = []
          else if (!known) model.push({ key, place: ++place })
        } else if (dice < 0.8) {
          assert.strictEqual(outbox.peek(), model[0]?.key)
          outbox.taken()
          model.shift()
        } else if (dice < 0.9) {
          outbox.remove(key)
          model = model.filter((each) => each.key !== key)
        } else if (dice < 0.91) {
          outbox.drop()
          model = []
        }
        assert.strictEqual(outbox.size, model.length)
        assert.strictEqual(outbox.oldest(), model[0]?.place ?? Infinity)
        assert.strictEqual(outbox.has(key), model.some((each) => each.key === key))
      }
    }
  })

  it("a clear goes before keys, supersedes an earlier one, and keeps its place", () => {
    const outbox = new Outbox({ last: 10 }, 100)
    outbox.addClear(1_000)
    outbox.add("x")
    outbox.addClear(2_000)
    assert.strictEqual(outbox.oldest(), 11, "a barrier at 11 or 12 waits for it")
    assert.strictEqual(outbox.takeClear(), 2_000)
    assert.strictEqual(outbox.takeClear(), 0)
    assert.strictEqual(outbox.oldest(), 12)
  })
})

describe("a barrier", () => {
  const members = ["a", "b", "c"]

  it("is passed exactly when everything before it is sent and enough members have settled that", () => {
    const random = mulberry32(2)
    const below = (bound: number): number => Math.floor(random() * bound)
    for (let run = 0; run < 500; run++) {
      const barriers = Barriers.make()
      const settled = new Map<string, number>(members.map((member) => [member, 0]))
      const left = new Set<string>()
      let [place, highest, sentPlace] = [0, 0, 0]
      const waits: Array<
        { place: number; needed: number | "all"; awaited: Set<string>; result: boolean | undefined; number: number }
      > = []
      for (let step = 0; step < 60; step++) {
        const dice = random()
        const live = members.filter((member) => !left.has(member))
        if (dice < 0.3) place++
        else if (dice < 0.5) {
          // Everything written so far goes out in one more number, or only a part of it.
          sentPlace = sentPlace + below(place - sentPlace + 1)
          highest++
          Barriers.onSent(
            barriers,
            sentPlace === place ? Infinity : sentPlace + 1,
            highest,
            (member) => settled.get(member) ?? 0
          )
          for (const wait of waits) if (wait.number === Infinity && wait.place <= sentPlace) wait.number = highest
        } else if (dice < 0.75 && live.length > 0) {
          const member = live[below(live.length)]
          const upTo = below(highest + 1)
          settled.set(member, Math.max(settled.get(member) ?? 0, upTo))
          Barriers.onSettled(barriers, member, upTo)
        } else if (dice < 0.78 && live.length > 0) {
          const member = live[below(live.length)]
          left.add(member)
          Barriers.onLeft(barriers, member)
        } else if (dice < 0.9) {
          const needed: number | "all" = below(2) === 0 ? "all" : below(live.length + 1)
          const wait = {
            place,
            needed,
            awaited: new Set(live),
            result: undefined as boolean | undefined,
            number: Infinity
          }
          waits.push(wait)
          Barriers.add(barriers, { place, members: live, needed }, (passed) => {
            assert.isUndefined(wait.result, "told once")
            wait.result = passed
            // Truthful at this very moment.
            if (!passed) return
            const have = [...wait.awaited].filter((each) => !left.has(each) && (settled.get(each) ?? 0) >= wait.number)
            const gone = [...wait.awaited].filter((each) => left.has(each))
            // Its number was noted after this call when it is passed on sending.
            const number = wait.number === Infinity ? highest : wait.number
            for (const each of wait.awaited) {
              if (needed === "all") assert.isTrue(left.has(each) || (settled.get(each) ?? 0) >= number)
            }
            if (needed !== "all" && wait.number !== Infinity) assert.isAtLeast(have.length + gone.length, needed)
          })
        }
      }
      // In the end everybody settles everything: no barrier is left that could be passed.
      highest++
      Barriers.onSent(barriers, Infinity, highest, (member) => settled.get(member) ?? 0)
      for (const member of members) {
        settled.set(member, highest)
        if (!left.has(member)) Barriers.onSettled(barriers, member, highest)
      }
      for (const wait of waits) assert.isDefined(wait.result)
      assert.strictEqual(barriers.active.size, 0)
    }
  })

  it("does not take for passed what was sent later, reports who left, and gives up when too few are left", () => {
    const barriers = Barriers.make()
    const told: Array<boolean> = []
    const all = Barriers.add(barriers, { place: 5, members, needed: "all" }, (passed) => told.push(passed))
    Barriers.onSent(barriers, 5, 10, () => 99)
    assert.deepStrictEqual(told, [], "place 5 itself is not sent")
    Barriers.onSent(barriers, 6, 11, () => 0)
    Barriers.onSettled(barriers, "a", 11)
    Barriers.onSettled(barriers, "b", 10)
    Barriers.onLeft(barriers, "c")
    assert.deepStrictEqual(told, [])
    Barriers.onSettled(barriers, "b", 11)
    assert.deepStrictEqual(told, [true])
    assert.deepStrictEqual([[...all.passed], [...all.left]], [["a", "b"], ["c"]])
    Barriers.add(barriers, { place: 6, members: ["a", "b"], needed: 2 }, (passed) => told.push(passed))
    Barriers.onLeft(barriers, "a")
    assert.deepStrictEqual(told, [true, false])
  })
})
