/**
 * Members that have a namespace open with other options than this one. What must be equal (mode, collision, eviction)
 * separates the two: they ignore each other's writes. Sizes and ttl that differ are told and harm less. Both members tell it, each
 * in its own log and by name, as each hears of the other's options. Owned by the Housekeeper.
 */
import * as MemberLabel from "../domain/MemberLabel.ts"
import type { Member } from "../domain/Membership.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import type { NamespaceSummary } from "../domain/Operation.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import type { Destination } from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"

export interface Differences {
  /** A member told of a namespace that is open here. Whether the two can share it. */
  readonly onSummary: (namespace: Namespace, member: Member, summary: NamespaceSummary) => boolean
  readonly onLeft: (member: Member) => void
}

export const make = (host: {
  readonly ticks: () => number
  readonly namespaces: ReadonlyMap<string, Namespace>
  /** Tells the member in question. */
  readonly report: (to: Destination, detail: string) => void
  /** Publishes an event, and logs it. */
  readonly publish: (event: ClusterEvent) => void
  readonly warn: (message: string) => void
}): Differences => {
  /** Sizes and ttl that were warned of, by member and namespace. */
  const warned = new Map<string, Map<string, string>>()

  const warn = (namespace: Namespace, member: Member, summary: NamespaceSummary): void => {
    const ofMember = warned.get(member.id) ?? new Map<string, string>()
    if (ofMember.get(namespace.name) === summary.sizing) return
    warned.set(member.id, ofMember.set(namespace.name, summary.sizing))
    const differences = NamespaceOptions.differences(namespace, summary)
    host.warn(
      `McCache: namespace ${JSON.stringify(namespace.name)} differs from member ${MemberLabel.of(member)}'s: ` +
        `${NamespaceOptions.describe(differences)}. Use the same sizes and ttl at every member.`
    )
  }

  /** When each member was told last. */
  const toldTicks = new Map<string, number>()

  const conflict = (namespace: Namespace, member: Member, summary: NamespaceSummary): void => {
    const name = JSON.stringify(namespace.name)
    const detail = `namespace ${name} is open here with ${namespace.fingerprint}, at ${
      MemberLabel.of(member)
    } with ${summary.fingerprint}`
    host.publish({ type: "conflict", namespace: namespace.name, member: member.id, detail })
    const now = host.ticks()
    if (now - (toldTicks.get(member.id) ?? -Infinity) < 1_000) return
    toldTicks.set(member.id, now)
    host.report(member, detail)
  }

  return {
    onSummary: (namespace, member, summary) => {
      if (summary.fingerprint !== namespace.fingerprint) {
        if (!namespace.refusedMembers.has(member.id)) {
          namespace.refusedMembers.add(member.id)
          conflict(namespace, member, summary)
        }
        return false
      }
      namespace.refusedMembers.delete(member.id)
      if (summary.sizing !== namespace.sizing) warn(namespace, member, summary)
      else warned.get(member.id)?.delete(namespace.name)
      return true
    },
    onLeft: (member) => {
      toldTicks.delete(member.id)
      warned.delete(member.id)
      for (const namespace of host.namespaces.values()) namespace.refusedMembers.delete(member.id)
    }
  }
}
