/** What runs the fuzzers: the captures that they begin with, one decoder under one generator, one siege. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import * as Capture from "./Capture.ts"
import type { Decoder } from "./Decoders.ts"
import { Dice } from "./Dice.ts"
import * as Hostile from "./Hostile.ts"
import * as Mutations from "./Mutations.ts"
import * as Siege from "./Siege.ts"
import * as Values from "./Values.ts"

/** Under a virtual clock of its own, without a word of log. */
export const simulated = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))))

export interface Captures {
  readonly contents: Capture.Contents
  readonly unsealed: ReadonlyArray<Uint8Array>
  readonly sealed: ReadonlyArray<Uint8Array>
}

export const capture = async (): Promise<Captures> => {
  const unsealed = await simulated(Capture.datagrams(false))
  return { contents: Capture.contents(unsealed), unsealed, sealed: await simulated(Capture.datagrams(true)) }
}

/** Bytes of the heap in use: exact where garbage can be collected, with `node --expose-gc`. */
export const heapBytes = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** A siege of so many datagrams. */
export const siege = (
  { contents, sealed, unsealed }: Captures,
  options: { readonly seed: number; readonly kind: Siege.Kind; readonly keyed: boolean; readonly datagrams: number }
): Promise<Siege.Result> =>
  simulated(Siege.lay({
    ...options,
    contents,
    captured: options.keyed ? sealed : unsealed,
    measure: () => performance.now(),
    heapBytes
  }))

/** What decoders are given. */
export const generators = ["random", "mutated", "structured"] as const
export type Generator = typeof generators[number]

/** A generator of input for a decoder. */
export const inputs = (
  decoder: Decoder,
  generator: Generator,
  contents: Capture.Contents,
  seed: number
): () => Uint8Array => {
  const dice = new Dice(seed)
  if (generator === "random") return () => dice.bytes(dice.below(dice.pick([8, 64, 400])))
  if (generator === "mutated") {
    const corpus = decoder.corpus(contents)
    return () => Mutations.mutant(dice, corpus)
  }
  const scene: Hostile.Scene = {
    dice,
    contents,
    self: "a".repeat(32),
    others: ["b".repeat(32), "c".repeat(32)],
    nowMillis: () => 1_800_000_000_000,
    summaries: new Map(),
    willBeWhole: () => true
  }
  switch (decoder.name) {
    case "framing":
      return () => Uint8Array.of(2, ...Hostile.pieces(scene, 10, dice.chance(0.5)))
    case "operation":
      return () => Hostile.record(scene, 10, dice.chance(0.5), new WriteCodec.Encoder(scene.self))
    case "reply":
      return () =>
        Hostile.reply(
          scene,
          dice.pick([
            { _tag: "DIGEST", request: 1, namespace: "full", fingerprint: "", joins: true },
            { _tag: "LISTING", request: 1, namespace: "full", bucket: 1 },
            { _tag: "WANT", request: 1, namespace: "full", keys: ["key-1", "", 0, "\ud800", "k".repeat(4_096)] },
            { _tag: "METRICS", request: 1, namespace: undefined }
          ])
        ) ?? new Uint8Array(0)
    case "message pack":
    case "value":
      return () => Values.value(dice)
    default:
      return () => {
        const bytes = dice.bytes(dice.between(Datagram.headerBytes, 80))
        const counter = dice.magnitude()
        const [sealed, unicast] = [dice.chance(0.5), dice.chance(0.5)]
        const numbers = { keyId: dice.below(2 ** 32), epoch: dice.below(2 ** 32), counter }
        Datagram.encodeHeader(bytes, {
          sealed,
          unicast,
          sender: Buffer.from(dice.bytes(16)).toString("hex"),
          ...numbers
        })
        return dice.chance(0.5) ? bytes : Mutations.mutant(dice, [bytes])
      }
  }
}

export interface Outcome {
  readonly accepted: number
  readonly worstMillis: number
  /** The longest of the slowest inputs when each is decoded again: without collections of garbage and compilation. */
  readonly worstAgainMillis: number
}

/** Feeds a decoder. Throws what it threw, with the input. */
export const feed = (decoder: Decoder, next: () => Uint8Array, count: number): Outcome => {
  let accepted = 0
  let worstMillis = 0
  const slowest: Array<{ readonly bytes: Uint8Array; readonly millis: number }> = []
  for (let index = 0; index < count; index++) {
    const bytes = next()
    const begun = performance.now()
    try {
      if (decoder.decode(bytes)) accepted++
    } catch (error) {
      throw new Error(
        `${String(error)}: ${decoder.name}, input ${index}, ${Buffer.from(bytes.subarray(0, 1_000)).toString("hex")}`,
        { cause: error }
      )
    }
    const millis = performance.now() - begun
    if (millis <= worstMillis) continue
    worstMillis = millis
    slowest.push({ bytes, millis })
  }
  let worstAgainMillis = 0
  for (const { bytes } of slowest) {
    let least = Infinity
    for (let attempt = 0; attempt < 3; attempt++) {
      const begun = performance.now()
      decoder.decode(bytes)
      least = Math.min(least, performance.now() - begun)
    }
    worstAgainMillis = Math.max(worstAgainMillis, least)
  }
  return { accepted, worstMillis, worstAgainMillis }
}
