/**
 * Listens in the group beside a member, on sockets of its own as every member has, and notes who sends: also those whom the member
 * refuses. It never sends. What it reads of a datagram is its clear header, which anybody can forge, so it is for people to judge.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Datagram from "../../domain/Datagram.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import type { Received } from "../../services/Network.ts"
import * as UdpNetwork from "../UdpNetwork.ts"
import type { Sender } from "./DoctorFacts.ts"

/** A flood of forged senders is not remembered in full. */
const sendersMax = 1_024

export interface Eavesdropper {
  /** `ours`: the ids of the keys that this member opens. */
  readonly senders: (ours: ReadonlySet<number>) => ReadonlyArray<Sender>
  readonly receiveBufferBytes: () => number
}

interface Noted {
  readonly header: Datagram.Header | undefined
  readonly otherVersion: boolean
  readonly address: string
  datagrams: number
  readonly firstMillis: number
  lastMillis: number
}

/** Joins the group for the scope. Times are since then. */
export const listen = Effect.fnUntraced(function*(
  options: UdpNetwork.Options
): Effect.fn.Return<Eavesdropper, McCacheError, Scope.Scope> {
  const network = UdpNetwork.make(options)
  const pull = yield* network.receive
  const startMillis = yield* Clock.currentTimeMillis
  const noted = new Map<string, Noted>()

  const note = ({ from, payload }: Received, nowMillis: number): void => {
    const header = Datagram.decodeHeader(payload)
    const name = `${from} ${header?.sender} ${header?.keyId} ${header?.sealed}`
    const known = noted.get(name)
    if (known !== undefined) {
      known.datagrams++
      known.lastMillis = nowMillis
    } else if (noted.size < sendersMax) {
      noted.set(name, {
        header,
        otherVersion: header === undefined && isOtherVersion(payload),
        address: from,
        datagrams: 1,
        firstMillis: nowMillis,
        lastMillis: nowMillis
      })
    }
  }

  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    const received = yield* pull
    const nowMillis = (yield* Clock.currentTimeMillis) - startMillis
    for (const datagram of received) note(datagram, nowMillis)
  })))

  return {
    receiveBufferBytes: network.receiveBufferBytes,
    senders: (ours) =>
      [...noted.values()].map(({ header, ...others }) => ({
        ...others,
        id: header?.sender ?? (others.otherVersion ? "of another version" : undefined),
        sealed: header?.sealed ?? false,
        ours: header !== undefined && ours.has(header.keyId)
      }))
  }
})

/** It begins as ours do, with another version. */
const isOtherVersion = (payload: Uint8Array): boolean =>
  payload.length > 2 && payload[0] === 0x4d && payload[1] === 0x63 && payload[2] !== Datagram.version
