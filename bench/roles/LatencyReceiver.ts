/** A process that notes when each probe is readable in it. */
import * as Probes from "../support/LatencyProbes.ts"
import { type Readable, subjects } from "../support/LatencySubjects.ts"
import { serve } from "../support/Processes.ts"
import { expect } from "../support/Suite.ts"

let arrivals = new BigInt64Array(0)
let missing = 0
let look = (): void => undefined
/** Called when something came that should not have. */
let wrong: string | undefined
/** Who waits for a probe, or for all of them (`Infinity`). */
let awaited: { readonly sequence: number; readonly resolve: () => void } | undefined

const readable: Readable = (key, value, at = Probes.now()) => {
  const sequence = value?.sequence ?? Number.NaN
  if (sequence === Probes.background || sequence === Probes.before) return
  const right = sequence in arrivals && arrivals[sequence] === 0n && key === Probes.probeKey(sequence) &&
    value?.text === Probes.valueOf(sequence).text
  if (!right) {
    wrong ??= `${key} is ${JSON.stringify(value)}`
    return
  }
  arrivals[sequence] = at
  missing--
  if (awaited !== undefined && (awaited.sequence === sequence || missing === 0)) awaited.resolve()
}

const within = (sequence: number): Promise<void> =>
  new Promise((resolve, reject) => {
    // The probe may overtake the question for it.
    if (missing === 0 || (sequence in arrivals && arrivals[sequence] !== 0n)) return resolve()
    const timer = setTimeout(() => reject(new Error(`${missing} probes did not arrive, or not in time`)), 10_000)
    awaited = {
      sequence,
      resolve: () => {
        clearTimeout(timer)
        resolve()
      }
    }
  })

serve({
  now: () => Probes.now(),
  open: async (setup: Probes.Setup) => {
    arrivals = new BigInt64Array(setup.probes)
    missing = setup.probes
    look = await subjects[setup.subject].receiver(setup, readable)
  },
  look: () => look(),
  /** Answers when the probe is readable. */
  hear: (sequence: number) => within(sequence),
  /** When each probe was readable, as soon as all are. */
  arrivals: async () => {
    await within(Infinity)
    expect(wrong === undefined, String(wrong))
    return arrivals
  }
})
