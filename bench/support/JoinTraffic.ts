/** What a member's sockets carried between two looks. */
import type { MemberMetrics } from "../../src/standalone.ts"

export interface Traffic {
  readonly datagramsIn: number
  readonly datagramsOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** What did not fit into a socket's buffer and had to be asked for again. */
  readonly receiveOverflow: number
}

const names = ["datagramsIn", "datagramsOut", "bytesIn", "bytesOut", "receiveOverflow"] as const

const of = (value: (name: typeof names[number]) => number): Traffic => ({
  datagramsIn: value("datagramsIn"),
  datagramsOut: value("datagramsOut"),
  bytesIn: value("bytesIn"),
  bytesOut: value("bytesOut"),
  receiveOverflow: value("receiveOverflow")
})

export const read = ({ network }: MemberMetrics): Traffic => of((name) => network[name])

export const since = (before: Traffic, after: Traffic): Traffic => of((name) => after[name] - before[name])

/** All that members sent, and all that was lost before any of them. */
export const sum = (traffics: ReadonlyArray<Traffic>): Traffic =>
  of((name) => traffics.reduce((total, traffic) => total + traffic[name], 0))
