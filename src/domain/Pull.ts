/**
 * Pull: an answer of any size, read piece by piece over a lossy network. The reader paces: a first answer brings at most a
 * window of pieces, and each piece that arrives lets the reader ask for the next; what does not arrive in time is asked for
 * again. Memory on the reader's side is proportional to what arrived, whatever size was announced.
 *
 * What is in time follows the round trips seen, as TCP's retransmission timer does (RFC 6298): smoothed round trip and four
 * times its deviation, of requests that were sent once only (Karn), doubled each time nothing came. What had to be doubled
 * stays so for the requests that follow, until one that was sent once is answered: a donor that is slow gives no sample else,
 * and each request would be sent twice, or more often, without end. Requests that waited together double it together, once.
 * An answer that has begun tells nothing of that: of what comes later in it some was lost.
 */
import { checksum } from "./Checksum.ts"

// -------------------------------------------------------------------------------------------------- the server

export interface Piece {
  readonly total: number
  readonly offset: number
  readonly crc: number
  readonly bytes: Uint8Array
}

interface Kept {
  readonly reply: Uint8Array
  readonly crc: number
  usedMillis: number
}

export interface Server {
  readonly repliesMax: number
  readonly bytesMax: number
  readonly keepMillis: number
  readonly kept: Map<string, Kept>
  bytes: number
}

export const makeServer = (options: {
  readonly repliesMax?: number | undefined
  readonly bytesMax?: number | undefined
  readonly keepMillis?: number | undefined
}): Server => ({
  repliesMax: options.repliesMax ?? 256,
  bytesMax: options.bytesMax ?? 64 * 1_048_576,
  keepMillis: options.keepMillis ?? 5_000,
  kept: new Map(),
  bytes: 0
})

const nameOf = (peer: string, request: number): string => `${peer}/${request}`

const remove = (self: Server, name: string, kept: Kept): void => {
  self.kept.delete(name)
  self.bytes -= kept.reply.length
}

/** Lets go of answers that nobody asked for lately. */
export const expire = (self: Server, nowMillis: number): void => {
  for (const [name, kept] of self.kept) {
    if (nowMillis - kept.usedMillis > self.keepMillis) remove(self, name, kept)
  }
}

/** Keeps an answer for a while; the oldest give way. */
export const put = (self: Server, peer: string, request: number, reply: Uint8Array, nowMillis: number): void => {
  expire(self, nowMillis)
  const name = nameOf(peer, request)
  const former = self.kept.get(name)
  if (former !== undefined) remove(self, name, former)
  const kept: Kept = { reply, crc: checksum(reply), usedMillis: nowMillis }
  self.kept.set(name, kept)
  self.bytes += reply.length
  for (const [oldest, old] of self.kept) {
    if (self.kept.size <= self.repliesMax && (self.bytes <= self.bytesMax || self.kept.size === 1)) break
    remove(self, oldest, old)
  }
}

export const has = (self: Server, peer: string, request: number, nowMillis: number): boolean => {
  expire(self, nowMillis)
  return self.kept.has(nameOf(peer, request))
}

/** Up to `count` pieces from an offset, or `undefined` when the answer is not kept any more. */
export const slice = (
  self: Server,
  peer: string,
  request: number,
  offset: number,
  count: number,
  pieceBytes: number,
  nowMillis: number
): ReadonlyArray<Piece> | undefined => {
  const kept = self.kept.get(nameOf(peer, request))
  if (kept === undefined) return undefined
  kept.usedMillis = nowMillis
  const total = kept.reply.length
  if (total === 0) return [{ total, offset: 0, crc: kept.crc, bytes: kept.reply }]
  const pieces: Array<Piece> = []
  for (let at = offset; at < total && pieces.length < count; at += pieceBytes) {
    pieces.push({ total, offset: at, crc: kept.crc, bytes: kept.reply.subarray(at, at + pieceBytes) })
  }
  return pieces
}

// -------------------------------------------------------------------------------------------------- the client

interface Reading {
  total: number
  crc: number
  /** Pieces by offset. */
  readonly pieces: Map<number, Uint8Array>
  bytes: number
  /** The size of a piece, learnt from the first. */
  pieceBytes: number
  /** Everything below this offset was asked for. */
  asked: number
  /** When the request was sent; -Infinity once it was sent again, as an answer then says nothing of the round trip. */
  sentMillis: number
  due: number
  intervalMillis: number
  progressMillis: number
}

export interface Client {
  readonly windowPieces: number
  readonly timeoutMillisMin: number
  readonly timeoutMillisMax: number
  readonly giveUpMillis: number
  /** The largest answer that is taken. */
  readonly replyBytesMax: () => number
  /** The smallest piece that is taken, but for the last. */
  readonly pieceBytesMin: number
  readonly readings: Map<number, Reading>
  /** Asks that are due at once. */
  readonly asks: Array<Ask>
  /** When what did not come is asked for again. */
  timeoutMillis: number
  /** `undefined` until a first answer came. */
  roundTripMillis: number | undefined
  deviationMillis: number
}

export interface Ask {
  readonly request: number
  /** False when nothing came yet: the request itself is to be sent again. */
  readonly begun: boolean
  readonly from: number
  readonly bytes: number
}

export const makeClient = (options: {
  readonly windowPieces?: number | undefined
  readonly timeoutMillis?: number | undefined
  readonly timeoutMillisMin?: number | undefined
  readonly timeoutMillisMax?: number | undefined
  readonly giveUpMillis?: number | undefined
  readonly replyBytesMax?: (() => number) | undefined
  readonly pieceBytesMin?: number | undefined
}): Client => ({
  windowPieces: options.windowPieces ?? 32,
  timeoutMillis: options.timeoutMillis ?? 50,
  timeoutMillisMin: options.timeoutMillisMin ?? 20,
  timeoutMillisMax: options.timeoutMillisMax ?? 500,
  giveUpMillis: options.giveUpMillis ?? 5_000,
  replyBytesMax: options.replyBytesMax ?? (() => 64 * 1_048_576),
  pieceBytesMin: options.pieceBytesMin ?? 1,
  readings: new Map(),
  asks: [],
  roundTripMillis: undefined,
  deviationMillis: 0
})

const sample = (self: Client, millis: number): void => {
  if (self.roundTripMillis === undefined) {
    self.roundTripMillis = millis
    self.deviationMillis = millis / 2
  } else {
    self.deviationMillis += (Math.abs(millis - self.roundTripMillis) - self.deviationMillis) / 4
    self.roundTripMillis += (millis - self.roundTripMillis) / 8
  }
  const timeout = self.roundTripMillis + 4 * self.deviationMillis
  self.timeoutMillis = Math.max(self.timeoutMillisMin, Math.min(timeout, self.timeoutMillisMax))
}

/** Expects the answer to a request that was just sent. */
export const start = (self: Client, request: number, nowMillis: number): void => {
  self.readings.set(request, {
    total: -1,
    crc: 0,
    pieces: new Map(),
    bytes: 0,
    pieceBytes: 0,
    asked: 0,
    sentMillis: nowMillis,
    due: nowMillis + self.timeoutMillis,
    intervalMillis: self.timeoutMillis,
    progressMillis: nowMillis
  })
}

export const cancel = (self: Client, request: number): void => {
  self.readings.delete(request)
}

/** A piece came. Returns the whole answer when it was the last one. */
export const onPiece = (
  self: Client,
  request: number,
  total: number,
  offset: number,
  bytes: Uint8Array,
  crc: number,
  nowMillis: number
): Uint8Array | undefined => {
  const reading = self.readings.get(request)
  if (reading === undefined || total > self.replyBytesMax()) return undefined
  // Nothing at an offset would keep what belongs there out; tiny pieces take far more room than their bytes.
  const isLast = offset + bytes.length === total
  if (bytes.length < (isLast ? Math.min(total, 1) : self.pieceBytesMin)) return undefined
  if (reading.total === -1) {
    reading.total = total
    reading.crc = crc
    if (reading.sentMillis !== -Infinity) sample(self, nowMillis - reading.sentMillis)
  }
  if (reading.total !== total || reading.crc !== crc || offset + bytes.length > total) return undefined
  if (offset + bytes.length < total && reading.pieceBytes === 0) {
    reading.pieceBytes = bytes.length
    reading.asked = Math.min(total, self.windowPieces * bytes.length)
  }
  if (reading.pieces.has(offset)) return undefined
  if (reading.pieceBytes > 0 && offset % reading.pieceBytes !== 0) return undefined
  reading.pieces.set(offset, bytes)
  reading.bytes += bytes.length
  reading.progressMillis = nowMillis
  reading.intervalMillis = self.timeoutMillis
  reading.due = nowMillis + reading.intervalMillis
  if (reading.bytes < total) {
    // Half a window before what was asked for runs out, the next window is asked for.
    const { pieceBytes } = reading
    if (pieceBytes > 0 && reading.asked < total) {
      const outstanding = Math.ceil((reading.asked - Math.min(reading.asked, reading.bytes)) / pieceBytes)
      if (outstanding <= self.windowPieces >> 1) {
        const size = (self.windowPieces - outstanding) * pieceBytes
        self.asks.push({ request, begun: true, from: reading.asked, bytes: Math.min(size, total - reading.asked) })
        reading.asked = Math.min(total, reading.asked + size)
      }
    }
    return undefined
  }
  self.readings.delete(request)
  const whole = new Uint8Array(total)
  for (const [at, piece] of reading.pieces) whole.set(piece, at)
  if (checksum(whole) === crc) return whole
  // Pieces of two answers: begin again.
  start(self, request, nowMillis)
  const again = self.readings.get(request)
  if (again !== undefined) again.due = nowMillis
  return undefined
}

/** What to ask for now, and which readings are given up. */
export const onDue = (
  self: Client,
  nowMillis: number
): { readonly asks: ReadonlyArray<Ask>; readonly failed: ReadonlyArray<{ readonly request: number }> } => {
  const asks = self.asks.splice(0)
  const failed: Array<{ readonly request: number }> = []
  for (const [request, reading] of self.readings) {
    if (reading.due > nowMillis) continue
    if (nowMillis - reading.progressMillis >= self.giveUpMillis) {
      self.readings.delete(request)
      failed.push({ request })
      continue
    }
    reading.sentMillis = -Infinity
    if (reading.total === -1) {
      self.timeoutMillis = Math.min(Math.max(self.timeoutMillis, 2 * reading.intervalMillis), self.timeoutMillisMax)
    }
    reading.due = nowMillis + reading.intervalMillis
    reading.intervalMillis = Math.min(2 * reading.intervalMillis, self.timeoutMillisMax)
    if (reading.pieceBytes === 0) {
      asks.push({ request, begun: false, from: 0, bytes: 0 })
      continue
    }
    for (const ask of missing(self, request, reading)) asks.push(ask)
  }
  return { asks, failed }
}

/** The ranges that were asked for and did not come, at most a window of pieces. */
const missing = (self: Client, request: number, reading: Reading): ReadonlyArray<Ask> => {
  const asks: Array<Ask> = []
  let pieces = 0
  const end = Math.max(reading.asked, Math.min(reading.total, reading.asked + reading.pieceBytes))
  reading.asked = end
  for (let at = 0; at < end && pieces < self.windowPieces; at += reading.pieceBytes) {
    if (reading.pieces.has(at)) continue
    pieces++
    const bytes = Math.min(reading.pieceBytes, reading.total - at)
    const last = asks.at(-1)
    if (last !== undefined && last.from + last.bytes === at) {
      asks[asks.length - 1] = { ...last, bytes: last.bytes + bytes }
    } else asks.push({ request, begun: true, from: at, bytes })
  }
  return asks
}

export const nextDue = (self: Client): number => {
  if (self.asks.length > 0) return -Infinity
  let due = Infinity
  for (const reading of self.readings.values()) if (reading.due < due) due = reading.due
  return due
}
