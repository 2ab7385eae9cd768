/**
 * Credit: how many datagrams a sender may have under way to this member. The receive buffer that the socket really has, by
 * what the kernel charges for a full datagram, shared by the senders that are active now.
 */
import type { Network } from "./Network.ts"
import type { Session } from "./Sessions.ts"

/** A sender is active, and shares the credit, for this long after its last data. */
const activeMillis = 1_000

/** What the kernel charges a receive buffer for one datagram: its memory is handed out in powers of two. */
const kernelChargeBytes = (datagramBytes: number): number => 2 ** Math.ceil(Math.log2(datagramBytes + 512)) + 256

/**
 * What of the buffer is counted on: the kernel gives memory back in steps of a quarter of it while datagrams are waiting, so that
 * a full window into a buffer that was just emptied does not fit.
 */
const usableShare = 0.7

/**
 * No network that this is for has more under way: they fill 10 Gbit/s for a millisecond. Own multicasts come back into the same
 * buffer, and nobody's credit counts those: what is left of a large one is for them.
 */
const datagramsMax = 1_024

/** Datagrams for each active sender, at least 1. */
export const datagrams = (
  network: Pick<Network["Service"], "receiveBufferBytes">,
  datagramBytesMax: number,
  senders: Iterable<Session>,
  nowTicks: number
): number => {
  let active = 0
  for (const { dataTicks } of senders) if (nowTicks - dataTicks <= activeMillis) active++
  const room = usableShare * network.receiveBufferBytes() / kernelChargeBytes(datagramBytesMax)
  return Math.max(1, Math.floor(Math.min(room, datagramsMax) / Math.max(1, active)))
}
