/** Finds the known name that an unknown one was meant to be. */

/** `; did you mean cacheTtl?`, or a full stop when no known name is near. */
export const didYouMean = (unknown: string, known: ReadonlyArray<string>): string => {
  const name = nearest(unknown, known)
  return name === undefined ? "." : `; did you mean ${name}?`
}

/** The nearest of some names to one that is unknown, when it is near enough to be what was meant. */
const nearest = (unknown: string, known: ReadonlyArray<string>): string | undefined => {
  const folded = unknown.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(unknown.length / 3)) + 1
  for (const name of known) {
    const distance = editDistance(folded, name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein's distance, by rows. */
const editDistance = (self: string, that: string): number => {
  let above = Array.from({ length: that.length + 1 }, (_, index) => index)
  for (let row = 1; row <= self.length; row++) {
    const current = [row]
    for (let column = 1; column <= that.length; column++) {
      const substitution = above[column - 1] + (self[row - 1] === that[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, above[column] + 1, current[column - 1] + 1))
    }
    above = current
  }
  return above[that.length]
}
