/** Loaded before a member (`--import`): its wall clock is off by `MCC_CLOCK_OFFSET` milliseconds. */
const offsetMillis = Number(process.env.MCC_CLOCK_OFFSET ?? 0)
const now = Date.now

Date.now = () => now() + offsetMillis
const origin = performance.timeOrigin + offsetMillis
Object.defineProperty(performance, "timeOrigin", { get: () => origin })
