/**
 * The replay window of one sender, epoch and cast: each counter is accepted once; what is further back than the window is
 * refused. RFC 6479 ("IPsec Anti-Replay Algorithm without Bit Shifting"), 4,096 wide.
 */
export const width = 4_096
/** One block more than the window, so that advancing clears whole blocks. */
const blocks = width / 32 + 1

export interface ReplayWindow {
  top: number
  readonly bits: Uint32Array
}

/** A window whose top is `top`: counters above are fresh, those within the window below count once. */
export const make = (top: number): ReplayWindow => ({ top, bits: new Uint32Array(blocks) })

const blockOf = (counter: number): number => Math.floor(counter / 32) % blocks

/** Whether a counter is fresh. */
export const check = (self: ReplayWindow, counter: number): boolean => {
  if (counter > self.top) return true
  if (self.top - counter >= width) return false
  return (self.bits[blockOf(counter)] & (1 << (counter & 31))) === 0
}

/** Marks a fresh counter as used. */
export const advance = (self: ReplayWindow, counter: number): void => {
  if (counter > self.top) {
    const from = Math.floor(self.top / 32)
    const ahead = Math.min(Math.floor(counter / 32) - from, blocks)
    for (let block = 1; block <= ahead; block++) self.bits[(from + block) % blocks] = 0
    self.top = counter
  }
  self.bits[blockOf(counter)] |= 1 << (counter & 31)
}
