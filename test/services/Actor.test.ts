import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { MaxOpsBeforeYield } from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import * as Actor from "../../src/services/Actor.ts"

/** An actor that notes its batches, in its scope. */
const noting = (options: Partial<Actor.Behavior<number>> = {}) =>
  Effect.gen(function*() {
    const batches: Array<ReadonlyArray<number>> = []
    const actor = yield* Actor.start<number>({
      name: "noting",
      capacity: 8,
      handle: (messages) => {
        batches.push([...messages])
        return undefined
      },
      nextDue: () => Infinity,
      ...options
    }, () => 0)
    yield* turn
    return { actor, batches }
  })

/** Lets everything that is ready run. */
const turn = Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.yieldNow, Effect.yieldNow))

it.effect("what is offered waits for the next turn, and is one batch with what came until then", () =>
  Effect.gen(function*() {
    const { actor, batches } = yield* noting()
    actor.offer(1)
    actor.offer(2)
    expect(batches).toEqual([])
    yield* turn
    expect(batches).toEqual([[1, 2]])
  }))

it.effect("what is handed over is handled within the call by an actor that rests, what follows on the next turn as one batch", () =>
  Effect.gen(function*() {
    const { actor, batches } = yield* noting()
    actor.handOver(1)
    expect(batches).toEqual([[1]])
    actor.handOver(2)
    actor.handOver(3)
    expect(batches).toEqual([[1]])
    yield* turn
    expect(batches).toEqual([[1], [2, 3]])
    yield* turn
    actor.handOver(4)
    expect(batches).toEqual([[1], [2, 3], [4]])
  }))

it.effect("what is handed over does not pass what was offered", () =>
  Effect.gen(function*() {
    const { actor, batches } = yield* noting()
    actor.offer(1)
    actor.handOver(2)
    expect(batches).toEqual([])
    yield* turn
    expect(batches).toEqual([[1, 2]])
  }))

it.effect("an actor that hands over to itself is not entered twice", () =>
  Effect.gen(function*() {
    const batches: Array<ReadonlyArray<number>> = []
    const { actor } = yield* noting({
      handle: (messages) => {
        batches.push([...messages])
        if (messages[0] < 3) actor.handOver(messages[0] + 1)
        batches.push([])
        return undefined
      }
    })
    actor.handOver(1)
    expect(batches).toEqual([[1], []])
    yield* turn
    yield* turn
    expect(batches).toEqual([[1], [], [2], [], [3], []])
  }))

it.effect("who hands over does not see the actor fail, which is restarted and handles what follows", () =>
  Effect.gen(function*() {
    const batches: Array<ReadonlyArray<number>> = []
    const { actor } = yield* noting({
      handle: (messages) => {
        if (messages.includes(1)) throw new Error("one")
        batches.push([...messages])
        return undefined
      }
    })
    batches.length = 0
    expect(actor.handOver(1)).toBe(true)
    expect(actor.handOver(2)).toBe(true)
    yield* turn
    yield* turn
    expect(actor.restarts()).toBe(1)
    expect(batches.flat()).toEqual([2])
    yield* turn
    actor.handOver(3)
    expect(batches.flat()).toEqual([2, 3])
  }))

it.effect("what is due earlier than the alarm that is set replaces it", () =>
  Effect.gen(function*() {
    let due = 1_000
    let now = 0
    const woken: Array<number> = []
    const actor = yield* Actor.start<number>({
      name: "sleeper",
      capacity: 8,
      handle: () => {
        woken.push(now)
        if (now >= due) due = Infinity
        return undefined
      },
      nextDue: () => due
    }, () => now)
    const to = (millis: number) =>
      Effect.suspend(() => {
        const passed = millis - now
        now = millis
        return Effect.andThen(TestClock.adjust(passed), turn)
      })
    yield* turn
    due = 10
    actor.offer(0)
    yield* turn
    expect(woken).toEqual([0])
    yield* to(9)
    expect(woken).toEqual([0])
    yield* to(10)
    expect(woken).toEqual([0, 10])
    // Nobody is woken by the alarm that was replaced.
    yield* to(2_000)
    expect(woken).toEqual([0, 10])
  }))

it.effect("nobody is missed who calls an actor that has to yield before it rests", () =>
  Effect.gen(function*() {
    // Below three, nothing of Effect gets anywhere.
    for (let ops = 3; ops <= 16; ops++) {
      for (let turns = 0; turns <= 8; turns++) {
        const { actor, batches } = yield* Effect.provideService(noting(), MaxOpsBeforeYield, ops)
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
        actor.offer(1)
        // Whatever it is at.
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        actor.offer(2)
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
        expect(batches.flat(), `${ops} operations, ${turns} turns`).toEqual([1, 2])
      }
    }
  }))

it.effect("an actor that is always due lets the others run", () =>
  Effect.gen(function*() {
    let handled = 0
    const actor = yield* Actor.start<number>({
      name: "hasty",
      capacity: 8,
      handle: () => {
        handled++
        return undefined
      },
      nextDue: () => 0
    }, () => 1)
    actor.wake()
    yield* turn
    expect(handled).toBeGreaterThan(0)
    yield* actor.kill
  }))
