/** What happens in the cluster, as `events` tells it. */
import type { MemberId } from "../domain/Stamp.ts"

/**
 * A member joined, left or fell silent; a repair found differences; numbers of a sender were lost for good and are
 * repaired; options conflict; a clock disagrees; another member refuses our messages.
 *
 * @category models
 */
export type ClusterEvent =
  | {
    readonly type: "joined" | "left" | "removed" | "suspected" | "recovered" | "ready" | "lagging"
    readonly member: MemberId
  }
  | { readonly type: "incoherent"; readonly namespace: string; readonly member: MemberId; readonly records: number }
  | { readonly type: "lost"; readonly member: MemberId }
  | { readonly type: "conflict"; readonly namespace: string; readonly member: MemberId; readonly detail: string }
  | { readonly type: "clock"; readonly correctionMillis: number }
  | { readonly type: "refused"; readonly member: MemberId; readonly detail: string }
