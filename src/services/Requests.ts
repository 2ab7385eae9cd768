/**
 * Requests to other members and their answers. An answer may be of any size: it is pulled piece by piece (`Pull`), so
 * that the reader paces it and lost pieces are asked for again. Owned by the Housekeeper.
 */
import type { Control, Reply, Request } from "../domain/Operation.ts"
import * as Pull from "../domain/Pull.ts"
import type { Destination } from "./Multicaster.ts"

interface Pending {
  readonly to: Destination
  readonly operation: Request
  readonly answered: (reply: Uint8Array) => void
  readonly failed: () => void
}

export interface Requests {
  /** Sends a request; exactly one of the two is called, on the Housekeeper's turn. Returns the request's number. */
  readonly ask: (
    to: Destination,
    build: (request: number) => Request,
    answered: (reply: Uint8Array) => void,
    failed: () => void
  ) => number
  readonly cancel: (request: number) => void
  /** A piece of an answer arrived. */
  readonly onReply: (from: Destination, reply: Reply) => void
  /** Fails what was asked of a member that left. */
  readonly onLeft: (member: string) => void
  readonly onDue: () => void
  readonly nextDue: () => number
}

/** Members answer in pieces of a datagram's size, of which none is smaller than 256 bytes but the last of an answer. */
const pieceBytesMin = 128

export const make = (options: {
  readonly ticks: () => number
  readonly send: (to: Destination, operation: Control) => void
  readonly giveUpMillis: number
  readonly replyBytesMax: () => number
}): Requests => {
  const client = Pull.makeClient({
    giveUpMillis: options.giveUpMillis,
    replyBytesMax: options.replyBytesMax,
    pieceBytesMin
  })
  const pending = new Map<number, Pending>()
  let last = 0
  const fail = (request: number): void => {
    const asked = pending.get(request)
    pending.delete(request)
    asked?.failed()
  }
  return {
    ask: (to, build, answered, failed) => {
      const request = ++last
      const operation = build(request)
      pending.set(request, { to, operation, answered, failed })
      Pull.start(client, request, options.ticks())
      options.send(to, operation)
      return request
    },
    cancel: (request) => {
      pending.delete(request)
      Pull.cancel(client, request)
    },
    onReply: (from, reply) => {
      const asked = pending.get(reply.request)
      if (asked === undefined || asked.to.id !== from.id) return
      if (reply.total === 0 && reply.offset > 0) {
        // The answer is not kept there any more: it must be made anew.
        Pull.cancel(client, reply.request)
        fail(reply.request)
        return
      }
      const whole = Pull.onPiece(
        client,
        reply.request,
        reply.total,
        reply.offset,
        reply.bytes,
        reply.crc,
        options.ticks()
      )
      if (whole === undefined) return
      pending.delete(reply.request)
      asked.answered(whole)
    },
    onLeft: (member) => {
      for (const [request, asked] of pending) {
        if (asked.to.id !== member) continue
        Pull.cancel(client, request)
        fail(request)
      }
    },
    onDue: () => {
      const due = Pull.onDue(client, options.ticks())
      for (const ask of due.asks) {
        const asked = pending.get(ask.request)
        if (asked === undefined) continue
        // Nothing came yet: the request itself may be lost.
        options.send(
          asked.to,
          ask.begun ? { _tag: "PULL", request: ask.request, offset: ask.from, bytes: ask.bytes } : asked.operation
        )
      }
      for (const { request } of due.failed) fail(request)
    },
    nextDue: () => Pull.nextDue(client)
  }
}
