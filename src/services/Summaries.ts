/**
 * What a member tells of its namespaces in heartbeats and welcomes: as many as fit a datagram.
 *
 * The others wait for some of it: a flush does not pass a member before it has told that all of its namespaces caught up. So
 * what changed is told before anything else and soon: by a heartbeat that comes early or, where one does not tell all, in
 * pulses between them. There it is told twice more, at an easier pace: nobody asks for a pulse that was lost, and in its turn
 * it may be told a minute later. The rest, digests among it, takes turns in heartbeats: at rest there is nothing else.
 */
import * as Keys from "../domain/Key.ts"
import type { NamespaceSummary } from "../domain/Operation.ts"
import * as Operation from "../domain/Operation.ts"
import * as Repair from "../domain/Repair.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"

export interface Summaries {
  /** For a heartbeat: what changed, and then the others in turn. */
  readonly heartbeat: () => ReadonlyArray<NamespaceSummary>
  /** For a pulse between heartbeats: only what changed. */
  readonly changed: () => ReadonlyArray<NamespaceSummary>
  /** For one member: those whose turn it is. */
  readonly welcome: () => ReadonlyArray<NamespaceSummary>
  /** Whether a heartbeat tells all: then it is itself what is told soon. */
  readonly fit: () => boolean
  /** How long what changed may wait for the next pulse; `Infinity`: for the next heartbeat. */
  readonly delayMillis: () => number
}

/** What changes together is told together, and the receivers take in 64 summaries in about a millisecond. */
export const hurryMillis = 5
/** From one pulse to the next that tell again what was told once. */
export const againMillis = 100
/** How often a change is told before it waits for its turn. */
const tellings = 3

/** The bytes that a pulse takes that tells of nothing, with the names of all fields. */
const emptyBytes = 192
/** The bytes of a summary without its texts, of which those that repeat are written once. */
const summaryBytes = 56

export const make = (host: {
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly time: MemberTime
  /** Before this member has joined it has caught up with nothing. */
  readonly joined: () => boolean
  /** What a datagram carries. */
  readonly bytesMax: number
}): Summaries => {
  /** What was told last of whether a namespace has caught up, and how often. */
  const told = new Map<string, { readonly caughtUp: boolean; times: number }>()
  let next = 0

  const caughtUp = (namespace: Namespace): boolean => namespace.caughtUp && host.joined()

  const timesTold = (namespace: Namespace): number => {
    const last = told.get(namespace.name)
    return last === undefined || last.caughtUp !== caughtUp(namespace) ? 0 : last.times
  }

  const summaryOf = (namespace: Namespace): NamespaceSummary => {
    const comparable = namespace.options.mode === 1 && namespace.caughtUp
    const light = comparable ? Repair.light(namespace.replica, host.time.now()) : { quantum: 0, count: 0, hash: "" }
    return {
      name: namespace.name,
      fingerprint: namespace.fingerprint,
      sizing: namespace.sizing,
      floor: namespace.replica.floor,
      forget: namespace.replica.forget,
      caughtUp: caughtUp(namespace),
      ...light
    }
  }

  /** The first of them that fit a datagram, and one at least. */
  const fitting = (namespaces: Iterable<Namespace>): Set<Namespace> => {
    const chosen = new Set<Namespace>()
    const texts = new Set<string>()
    let bytes = emptyBytes
    for (const namespace of namespaces) {
      if (chosen.has(namespace)) continue
      bytes += summaryBytes + Keys.bytes(namespace.name)
      for (const text of [namespace.fingerprint, namespace.sizing]) {
        if (!texts.has(text)) bytes += Keys.bytes(text)
        texts.add(text)
      }
      if (chosen.size > 0 && (bytes > host.bytesMax || chosen.size >= Operation.summariesMax)) break
      chosen.add(namespace)
    }
    return chosen
  }

  /** What changed and was not told often enough yet, in the order of opening; `tellings` lists by how often it was. */
  const changes = (): ReadonlyArray<ReadonlyArray<Namespace>> => {
    const lists: ReadonlyArray<Array<Namespace>> = Array.from({ length: tellings }, () => [])
    for (const namespace of host.namespaces.values()) lists[timesTold(namespace)]?.push(namespace)
    return lists
  }

  /** All, from the one whose turn it is. */
  const inTurn = (): ReadonlyArray<Namespace> => {
    const all = [...host.namespaces.values()]
    const from = all.length === 0 ? 0 : next % all.length
    return [...all.slice(from), ...all.slice(0, from)]
  }

  /** The turn goes on to the first that was not told. */
  const pass = (turns: ReadonlyArray<Namespace>, chosen: ReadonlySet<Namespace>): void => {
    const index = turns.findIndex((namespace) => !chosen.has(namespace))
    next = host.namespaces.size === 0 ? 0 : (next + Math.max(0, index)) % host.namespaces.size
  }

  const tell = (chosen: ReadonlySet<Namespace>): ReadonlyArray<NamespaceSummary> =>
    Array.from(chosen, (namespace) => {
      const times = timesTold(namespace) + 1
      told.set(namespace.name, { caughtUp: caughtUp(namespace), times: Math.min(times, tellings) })
      return summaryOf(namespace)
    })

  return {
    heartbeat: () => {
      const turns = inTurn()
      const chosen = fitting([...changes().flat(), ...turns])
      pass(turns, chosen)
      return tell(chosen)
    },
    changed: () => tell(fitting(changes().find((list) => list.length > 0) ?? [])),
    welcome: () => {
      const turns = inTurn()
      const chosen = fitting(turns)
      pass(turns, chosen)
      return Array.from(chosen, summaryOf)
    },
    fit: () => fitting(host.namespaces.values()).size === host.namespaces.size,
    delayMillis: () => {
      const [untold, ...again] = changes()
      if (untold.length > 0) return hurryMillis
      const left = again.flat()
      return left.length > fitting(left).size ? againMillis : Infinity
    }
  }
}
