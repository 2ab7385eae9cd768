/** What other members wrote, as the events that a replica folds. */
import type { Operation } from "../domain/Operation.ts"
import type { Event } from "../domain/ReplicaEvent.ts"

/** The event that a write of another member is. */
export const make = (operation: Extract<Operation, { readonly _tag: "PUT" | "DEL" | "CLEAR" }>): Event => {
  const { clock, writer } = operation
  switch (operation._tag) {
    case "PUT":
      return {
        _tag: "Put",
        key: operation.key,
        clock,
        writer,
        expiresAt: operation.expiresAt,
        crc: operation.crc,
        value: operation.value,
        origin: "remote"
      }
    case "DEL":
      return { _tag: "Del", key: operation.key, clock, writer, origin: "remote" }
    case "CLEAR":
      return { _tag: "Clear", clock, writer, origin: "remote" }
  }
}
