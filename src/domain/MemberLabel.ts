/**
 * What people call a member: `host:pid`, and `host:pid#thread` for one in a worker thread, whose process may hold a member per
 * thread. The main thread's is plain, as most processes have no other. Two members of one thread share a label: their ids differ.
 */
import * as Printable from "./Printable.ts"

/** @category models */
export interface MemberLabel {
  readonly host: string
  readonly pid: number
  /** Node's `threadId`; 0 is the main thread. */
  readonly thread: number
}

/** A member chose its host's name itself: what of it is no text to be shown is `?`. */
export const of = ({ host, pid, thread }: MemberLabel): string => {
  const shown = host.replace(Printable.unprintable, "?")
  return thread === 0 ? `${shown}:${pid}` : `${shown}:${pid}#${thread}`
}

/** The label in a PROOF, which leaves out the main thread. */
export const told = (
  { host, pid, thread = 0 }: { readonly host: string; readonly pid: number; readonly thread?: number }
): MemberLabel => ({ host, pid, thread })
