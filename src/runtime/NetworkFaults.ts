/** What may go wrong in a simulated network, and how chance decides it. Pure: randomness is a parameter. */
import * as Invariant from "../domain/Invariant.ts"

/** Decided per datagram and receiver. */
export interface Faults {
  /** The share of deliveries that is lost, 0 to 1. */
  readonly loss: number
  /** How many deliveries in a row a loss takes on average, per sender and receiver; 1 loses each independently. */
  readonly lossBurstDatagrams: number
  /** The share of deliveries that happens twice, each with its own delay. */
  readonly duplication: number
  /** Each delivery takes a time between these two, in steps of half a millisecond; unequal ones reorder. */
  readonly delay: { readonly minMillis: number; readonly maxMillis: number }
  /**
   * The share of deliveries in which one byte is changed. UDP's checksum lets almost none pass: for attackers' tests.
   */
  readonly corruption: number
  /** Larger datagrams vanish on the way, as where the path's MTU shrank and nobody says so. */
  readonly datagramBytesMax: number
}

/** A network at its best. */
export const none: Faults = {
  loss: 0,
  lossBurstDatagrams: 1,
  duplication: 0,
  delay: { minMillis: 0, maxMillis: 0 },
  corruption: 0,
  datagramBytesMax: Infinity
}

/** Deliveries share wake-ups where their times are coarse. A power of two, so that sums are exact. */
const delayStepMillis = 0.5

/** Those not named are off. Throws where numbers make no sense. */
export const make = (partial: Partial<Faults>): Faults => {
  const faults = { ...none, ...partial }
  for (const name of ["loss", "duplication", "corruption"] as const) {
    Invariant.check(faults[name] >= 0 && faults[name] <= 1, () => `${name} is ${faults[name]}, not a share from 0 to 1`)
  }
  const { delay: { maxMillis, minMillis }, loss, lossBurstDatagrams } = faults
  Invariant.check(
    minMillis >= 0 && maxMillis >= minMillis,
    () => `a delay of ${minMillis} to ${maxMillis} ms makes no sense`
  )
  Invariant.check(
    lossBurstDatagrams === 1 || (lossBurstDatagrams > 1 && (loss === 1 || burstBegins(faults) <= 1)),
    () => `a loss of ${loss} cannot come in bursts of ${lossBurstDatagrams}`
  )
  return faults
}

/** The share of deliveries outside of a burst that begin one, so that the whole share is lost. */
const burstBegins = ({ loss, lossBurstDatagrams }: Faults): number => loss / (lossBurstDatagrams * (1 - loss))

/** Whether a delivery is lost. Bursts are Gilbert's model: one state per link, whether the last delivery was lost. */
export const loses = (faults: Faults, lostLast: boolean, random: () => number): boolean => {
  if (faults.loss === 0 || faults.loss === 1) return faults.loss === 1
  if (faults.lossBurstDatagrams === 1) return random() < faults.loss
  return lostLast ? random() >= 1 / faults.lossBurstDatagrams : random() < burstBegins(faults)
}

export const delayMillis = ({ delay: { maxMillis, minMillis } }: Faults, random: () => number): number => {
  const spread = maxMillis > minMillis ? random() * (maxMillis - minMillis) : 0
  return Math.round((minMillis + spread) / delayStepMillis) * delayStepMillis
}

/**
 * Whether something that happens to this share of deliveries happens now. Takes no random number where it never does.
 */
export const happens = (share: number, random: () => number): boolean => share > 0 && random() < share

/** Changes one byte in place. */
export const corrupt = (bytes: Uint8Array, random: () => number): void => {
  if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)] ^= 1 + Math.floor(random() * 255)
}

/** Tommy Ettinger's mulberry32: 32 bits of state, one number in [0, 1) a call. */
export const mulberry32 = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
