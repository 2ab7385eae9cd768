/** The q-quantile of samples, 0 to 1, by the nearest rank. `NaN` of none. */
export const quantile = (samples: ReadonlyArray<number>, q: number): number => {
  if (samples.length === 0) return Number.NaN
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]
}

export const median = (samples: ReadonlyArray<number>): number => quantile(samples, 0.5)
