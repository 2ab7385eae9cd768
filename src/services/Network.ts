/**
 * The network as McCache needs it: best-effort datagrams, to all members of the group or to one of them. It may lose,
 * repeat and reorder datagrams; it never alters their bytes, and it never delivers part of one. Nothing above this
 * service can tell the real network (`UdpNetwork`) from the simulated one (`MemoryNetwork`).
 *
 * A member hears its own multicasts or does not: both are allowed, receivers drop what they sent themselves.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { McCacheError } from "../domain/McCacheError.ts"

/** Where a member answers, as text: `127.0.0.1:40112`, `[fe80::1%2]:40112`, or whatever the network uses. */
export type Address = string

/** A datagram that arrived. The payload is the receiver's to keep. */
export interface Received {
  readonly payload: Uint8Array
  readonly from: Address
}

/** @category services */
export class Network extends Context.Service<Network, {
  /** Sends the datagrams, in order, to every member of the group. Succeeds when they are handed over, not delivered;
   * a failure to send is counted by the network (`sendFailures`) and never fails the caller. */
  readonly multicast: (payloads: ReadonlyArray<Uint8Array>) => Effect.Effect<void>
  /** Sends the datagrams, in order, to one address. */
  readonly unicast: (to: Address, payloads: ReadonlyArray<Uint8Array>) => Effect.Effect<void>
  /**
   * Opens the sockets for the scope and returns a pull of batches: everything that arrived since the last pull, or the
   * next datagram. The pull fails with `NetworkFailed` when the sockets died; the supervisor then opens anew.
   */
  readonly receive: Effect.Effect<Effect.Effect<ReadonlyArray<Received>, McCacheError>, McCacheError, Scope.Scope>
  /** The largest payload that the network carries, in bytes. */
  readonly datagramBytesMax: number
  /** The address that others see this member's datagrams come from; known once `receive` was opened. */
  readonly self: () => Address
  /** How many bytes the socket's receive buffer really holds (the kernel's own accounting). */
  readonly receiveBufferBytes: () => number
  /** Datagrams the network dropped on this host, as far as it can know, by cause. */
  readonly drops: () => { readonly receiveOverflow: number; readonly sendFailures: number }
}>()("mccache/services/Network") {}
