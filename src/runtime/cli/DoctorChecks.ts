/** All checks of `mccache doctor`, in the order in which causes are looked for. Pure: facts in, findings out. */
import * as Cells from "./Cells.ts"
import * as ClusterChecks from "./ClusterChecks.ts"
import type { Facts, Finding } from "./DoctorFacts.ts"
import * as HostChecks from "./HostChecks.ts"
import type { Line, Tone } from "./TopScreen.ts"

const ofHost = [
  HostChecks.settings,
  HostChecks.key,
  HostChecks.networkInterface,
  HostChecks.route,
  HostChecks.membership,
  HostChecks.receiveBuffer,
  HostChecks.packetSize
]

const ofCluster = [
  ClusterChecks.echo,
  ClusterChecks.members,
  ClusterChecks.unmet,
  ClusterChecks.strangers,
  ClusterChecks.otherTraffic,
  ClusterChecks.refusals,
  ClusterChecks.clock,
  ClusterChecks.reversePath,
  ClusterChecks.aging
]

const around = [HostChecks.switches, HostChecks.surroundings]

/** What is right, what is wrong, and what to do. */
export const findings = (facts: Facts): ReadonlyArray<Finding> => [
  ...ofHost.flatMap((check) => check(facts)),
  ...facts.heard === undefined
    ? []
    : ofCluster.flatMap((check) => facts.heard === undefined ? [] : check(facts, facts.heard)),
  ...around.flatMap((check) => check(facts))
]

const tones: { readonly [Of in Finding["status"]]: Tone } = {
  ok: "good",
  warning: "warning",
  problem: "bad",
  unchecked: "faint"
}

const statusCells = 10
const checkCells = 14

/** The findings for people: what to do stands below what was measured. */
export const lines = (all: ReadonlyArray<Finding>, width: number): ReadonlyArray<Line> => {
  const indent = " ".repeat(statusCells + checkCells)
  const room = Math.max(20, width - indent.length)
  return all.flatMap(({ advice, check, measured, status }): ReadonlyArray<Line> => {
    const [first = "", ...others] = wrap(Cells.clean(measured), room)
    return [
      [
        { text: Cells.fit(status, statusCells), tone: tones[status] },
        { text: Cells.fit(check, checkCells), tone: "title" },
        { text: first, tone: "plain" }
      ],
      ...others.map((text): Line => [{ text: indent + text, tone: "plain" }]),
      // What there is to do about what is right is no advice.
      ...status === "ok" || advice === undefined
        ? []
        : wrap(Cells.clean(advice), room - 2).map((text, index): Line => [
          { text: `${indent}${index === 0 ? "→ " : "  "}${text}`, tone: "plain" }
        ])
    ]
  })
}

/** Words in lines of at most so many characters; one that is longer has a line of its own. */
const wrap = (text: string, room: number): ReadonlyArray<string> => {
  const wrapped: Array<string> = []
  for (const word of text.split(" ")) {
    const last = wrapped.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= room) wrapped[wrapped.length - 1] = `${last} ${word}`
    else wrapped.push(word)
  }
  return wrapped
}

/** `3 problems, 1 warning`. */
export const summary = (all: ReadonlyArray<Finding>): string => {
  const many = (status: Finding["status"], one: string): string => {
    const count = all.filter((each) => each.status === status).length
    return `${count} ${one}${count === 1 ? "" : "s"}`
  }
  return `${many("problem", "problem")}, ${many("warning", "warning")}`
}
