/** Conditions that somebody waits for: looked at whenever something may have changed. */

export interface Conditions {
  /** Calls back once the condition holds. Returns how to stop waiting. */
  readonly when: (condition: () => boolean, done: () => void) => () => void
  readonly look: () => void
}

export const make = (): Conditions => {
  const waiting = new Set<{ readonly condition: () => boolean; readonly done: () => void }>()
  return {
    when: (condition, done) => {
      const wait = { condition, done }
      waiting.add(wait)
      return () => void waiting.delete(wait)
    },
    look: () => {
      for (const wait of waiting) {
        if (!wait.condition()) continue
        waiting.delete(wait)
        wait.done()
      }
    }
  }
}
