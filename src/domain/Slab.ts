/**
 * Room for bytes, handed out in pieces of larger buffers: a buffer of its own for every body and every datagram costs more than to
 * fill it. Pieces are never handed out twice, and begin with arbitrary bytes. A piece keeps its whole buffer alive, which is
 * why only what goes in the order in which it came is put here: of the values of a cache one in a hundred might stay.
 */
const slabBytes = 65_536

/** Room around a piece that is its own, for what is put around its bytes later, where they lie. */
export interface Margins {
  readonly before: number
  readonly after: number
}

export const noMargins: Margins = { before: 0, after: 0 }

export class Slab {
  #buffer = new ArrayBuffer(0)
  #used = 0

  take(bytes: number, { after, before }: Margins = noMargins): Uint8Array {
    const all = before + bytes + after
    // Without zeroing, which `Buffer` alone can do.
    if (all > slabBytes / 4) return new Uint8Array(Buffer.allocUnsafeSlow(all).buffer, before, bytes)
    if (this.#used + all > this.#buffer.byteLength) {
      this.#buffer = Buffer.allocUnsafeSlow(slabBytes).buffer
      this.#used = 0
    }
    const start = this.#used + before
    this.#used += all
    return new Uint8Array(this.#buffer, start, bytes)
  }
}
