/** What a member tells of its namespaces in heartbeats and welcomes: so many at a time, in turn. */
import type { NamespaceSummary } from "../domain/Operation.ts"
import * as Repair from "../domain/Repair.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Namespace } from "./Namespace.ts"

export const make = (host: {
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly time: MemberTime
  /** Before this member has joined it has caught up with nothing. */
  readonly joined: () => boolean
}): (most: number) => Array<NamespaceSummary> => {
  let next = 0

  const summaryOf = (namespace: Namespace): NamespaceSummary => {
    const comparable = namespace.options.mode === 1 && namespace.caughtUp
    const light = comparable ? Repair.light(namespace.replica, host.time.now()) : { quantum: 0, count: 0, hash: "" }
    return {
      name: namespace.name,
      fingerprint: namespace.fingerprint,
      sizing: namespace.sizing,
      floor: namespace.replica.floor,
      forget: namespace.replica.forget,
      caughtUp: namespace.caughtUp && host.joined(),
      ...light
    }
  }

  return (most) => {
    const all = [...host.namespaces.values()]
    return Array.from({ length: Math.min(most, all.length) }, () => summaryOf(all[next++ % all.length]))
  }
}
