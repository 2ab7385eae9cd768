/**
 * A member that holds the key and means harm: it proves itself as any other, and then sends what it likes to whom it
 * likes. It has no receiver of its own: it reads along on the simulated network.
 */
import { checksum } from "../../src/domain/Checksum.ts"
import * as Datagram from "../../src/domain/Datagram.ts"
import * as Framing from "../../src/domain/Framing.ts"
import type { Control, NamespaceSummary, Operation } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Varint from "../../src/domain/Varint.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import type { Sent } from "../../src/runtime/MemoryNetwork.ts"
import { everyone } from "../../src/runtime/MemoryNetwork.ts"
import * as Sealing from "../../src/services/Sealing.ts"
import { dataBody } from "../domain/support/Bodies.ts"
import type { Contents } from "./Capture.ts"
import type { Dice } from "./Dice.ts"
import * as Hostile from "./Hostile.ts"
import type { Ledger } from "./Ledger.ts"
import * as Mutations from "./Mutations.ts"

export const address = "intruder"

/** A datagram on its way: to one member by name, or to all. */
export interface Shot {
  readonly to: string
  readonly payload: Uint8Array
}

export const wholePiece = (record: Uint8Array): Uint8Array => {
  const piece = new Uint8Array(1 + Varint.size(record.length) + record.length)
  piece.set(record, Varint.write(piece, 1, record.length))
  return piece
}

export class Intruder {
  readonly id: string
  readonly #sealing: Sealing.Sealing
  readonly #dice: Dice
  readonly #scene: Hostile.Scene
  readonly #ledger: Ledger
  /** Names of the members by id: their addresses. */
  readonly #names: ReadonlyMap<string, string>
  readonly #answers: Array<Shot> = []
  readonly #summaries = new Map<string, NamespaceSummary>()
  #number = 0

  constructor(options: {
    readonly dice: Dice
    readonly contents: Contents
    readonly cluster: string
    readonly keys: ReadonlyArray<Uint8Array>
    readonly names: ReadonlyMap<string, string>
    readonly nowMillis: () => number
    readonly ledger: Ledger
  }) {
    const { contents, dice, ledger, names, nowMillis } = options
    this.id = Buffer.from(dice.bytes(16)).toString("hex")
    this.#dice = dice
    this.#names = names
    this.#ledger = ledger
    this.#sealing = Sealing.make({
      self: this.id,
      cluster: options.cluster,
      keys: options.keys,
      nowMillis,
      derivationsPerSecondMax: Infinity
    })
    this.#scene = {
      dice,
      contents,
      self: this.id,
      others: [...names.keys()],
      nowMillis,
      summaries: this.#summaries,
      willBeWhole: (record) => this.#allowed(record)
    }
  }

  /** Reads what the others send, and answers it in its own way. */
  readonly hear = (sent: Sent): void => {
    if (sent.to !== everyone && sent.to !== address) return
    const header = Datagram.decodeHeader(sent.payload)
    if (header === undefined || !this.#names.has(header.sender)) return
    const body = this.#sealing.open(sent.payload, header)
    if (typeof body === "string") return
    const preceding = new WriteCodec.Preceding()
    Framing.readBody(body, {
      data: () => undefined,
      whole: (bytes, start, end) => {
        const operation = OperationCodec.decode(bytes, header.sender, start, end, preceding)
        if (operation !== undefined) this.#answer(header.sender, sent.from, operation)
      },
      part: () => undefined
    })
  }

  #answer(id: string, to: string, operation: Operation): void {
    switch (operation._tag) {
      case "CHALLENGE": {
        const { multicast, unicast } = this.#sealing.counters()
        this.#control(id, to, {
          _tag: "PROOF",
          echo: operation.nonce,
          nonce: this.#dice.chance(0.5) ? this.#dice.bytes(16) : new Uint8Array(0),
          multicast: multicast - 1,
          unicast: unicast - 1,
          first: this.#number + 1,
          ready: true,
          host: this.#dice.chance(0.9) ? address : "h".repeat(1_024),
          pid: this.#dice.magnitude(),
          version: "0",
          physicalMillis: this.#scene.nowMillis(),
          clock: this.#dice.magnitude()
        })
        return
      }
      case "PULSE":
      case "WELCOME":
        for (const summary of operation.namespaces) this.#summaries.set(summary.name, summary)
        return
      case "DIGEST":
      case "LISTING":
      case "WANT":
      case "METRICS":
      case "CHECKSUM":
        this.#reply(id, to, operation)
        return
      default:
        return
    }
  }

  #reply(id: string, to: string, request: Extract<Operation, { readonly request: number }>): void {
    const reply = Hostile.reply(this.#scene, request)
    if (reply === undefined) return
    const bytes = this.#dice.chance(0.97)
      ? reply
      : Mutations.mutant(this.#dice, [reply, ...this.#scene.contents.replies])
    const copies = OperationCodec.replies.copies.decode(bytes)
    const lines = OperationCodec.replies.digest.decode(bytes) ?? OperationCodec.replies.listing.decode(bytes)
    if (lines !== undefined) this.#ledger.floor(lines.floor)
    if (request._tag === "WANT" && copies !== undefined) {
      for (const { clock, crc, expiresAt, key, kind, value, writer } of copies.copies) {
        const stamp = { namespace: request.namespace, key, clock, writer: writer }
        const noted = kind === 0 && value !== undefined
          ? this.#ledger.note({ _tag: "PUT", ...stamp, expiresAt, crc, value })
          : this.#ledger.note({ _tag: "DEL", ...stamp })
        if (!noted) return
      }
    }
    const size = this.#dice.pick([1_200, 1_200, 1_200, 100, 1_000])
    const total = this.#dice.chance(0.995) ? bytes.length : this.#dice.magnitude()
    for (let offset = 0; offset < bytes.length; offset += size) {
      this.#control(id, to, {
        _tag: "REPLY",
        request: request.request,
        total,
        offset: this.#dice.chance(0.998) ? offset : this.#dice.magnitude(),
        crc: checksum(bytes),
        bytes: bytes.slice(offset, offset + size)
      })
    }
  }

  #control(id: string, to: string, operation: Control): void {
    const body = Framing.controlBody(wholePiece(OperationCodec.encodeControl(operation)))
    this.#answers.push({ to, payload: this.#sealing.seal(body, id) })
  }

  /** Whether a record may be sent; notes what it writes. */
  #allowed(record: Uint8Array, preceding = new WriteCodec.Preceding()): boolean {
    const operation = OperationCodec.decode(record, this.id, 0, record.length, preceding)
    switch (operation?._tag) {
      case "PUT":
      case "DEL":
      case "CLEAR":
        return this.#ledger.note(operation)
      case "PULSE":
      case "WELCOME":
        this.#ledger.floor(operation.floor)
        for (const { floor } of operation.namespaces) this.#ledger.floor(floor)
        return true
      default:
        return true
    }
  }

  /** Answers that wait to be sent. */
  answers(): ReadonlyArray<Shot> {
    return this.#answers.splice(0)
  }

  /** A datagram of this body, to one member. */
  sealed(id: string, body: Uint8Array): Uint8Array {
    return this.#sealing.seal(body, id)
  }

  /** One more hostile datagram. */
  shoot(): Shot {
    const dice = this.#dice
    const numbered = dice.chance(0.6)
    for (let attempt = 0; attempt < 10; attempt++) {
      const pieces = Hostile.pieces(this.#scene, this.#number, numbered)
      const body = this.#body(pieces, numbered)
      let allowed = true
      const preceding = new WriteCodec.Preceding()
      Framing.readBody(body, {
        data: () => undefined,
        whole: (bytes, start, end) => {
          const record = bytes.subarray(start, end)
          allowed = this.#allowed(record, preceding) && allowed
        },
        part: () => undefined
      })
      if (allowed) return this.#aim(body)
    }
    return this.#aim(Framing.controlBody(new Uint8Array(0)))
  }

  #body(pieces: Uint8Array, numbered: boolean): Uint8Array {
    const dice = this.#dice
    if (!numbered) return dice.chance(0.98) ? Framing.controlBody(pieces) : Uint8Array.of(dice.below(256), ...pieces)
    const luck = dice.below(10_000)
    if (luck === 0) {
      // An absurd number ends the stream, as all that follows counts as seen: it goes and comes again.
      for (const [id, to] of this.#names) this.#control(id, to, { _tag: "LEAVE" })
      return dataBody(1 + (dice.magnitude() % 2 ** 46), pieces, true)
    }
    // Numbers that repeat, or leave gaps.
    if (luck < 500) return dataBody(1 + dice.below(this.#number + 1), pieces, false)
    this.#number += luck < 1_000 ? dice.between(2, 100) : 1
    const number = this.#number
    return dataBody(number, pieces, dice.chance(0.05))
  }

  #aim(body: Uint8Array): Shot {
    const target = this.#dice.chance(0.5) ? this.#dice.pick([...this.#names]) : undefined
    return { to: target?.[1] ?? everyone, payload: this.#sealing.seal(body, target?.[0]) }
  }
}
