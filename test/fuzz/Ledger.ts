/** What was really written, by whomever: the only things that members may hold. */
import { checksum } from "../../src/domain/Checksum.ts"
import type { Key } from "../../src/domain/Key.ts"
import type { Write } from "../../src/domain/Operation.ts"
import * as Packed from "../../src/domain/Packed.ts"
import type { Record } from "../../src/domain/Record.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import type * as Cluster from "../../src/runtime/testing/Cluster.ts"
import { Defect } from "./Defect.ts"

const idOf = (namespace: string, key: Key, stamp: Stamp.Stamp): string =>
  `${namespace}/${typeof key}:${key}@${stamp.clock}/${stamp.writer}`

const contentOf = (crc: number, expiresAt: number, value: Uint8Array): string =>
  `${crc}/${expiresAt}/${value.length}/${checksum(value)}`

const gone = "gone"

export class Ledger {
  readonly #written = new Map<string, string>()
  /** The lines that anyone told to clear up to. */
  readonly #floors = new Set<number>([0])

  #contentOf(write: Exclude<Write, { readonly _tag: "CLEAR" }>): string {
    return write._tag === "DEL" ? gone : contentOf(write.crc, write.expiresAt, Packed.bytes(write.value ?? ""))
  }

  /**
   * Notes a write that is about to be sent. False when another content was sent under its stamp: a stamp names one
   * content, and no protocol without signatures can mend a member that says one thing to one and another to another.
   */
  note(write: Write): boolean {
    if (write._tag === "CLEAR") {
      this.floor(write.clock)
      return true
    }
    const id = idOf(write.namespace, write.key, write)
    const content = this.#contentOf(write)
    const known = this.#written.get(id)
    if (known === undefined) this.#written.set(id, content)
    return known === undefined || known === content
  }

  floor(clock: number): void {
    this.#floors.add(clock)
  }

  /** Notes all that members hold now. */
  noteHeld({ member }: Cluster.Node): void {
    for (const [name, { replica }] of member.namespaces()) {
      this.#floors.add(replica.floor)
      for (const record of replica.records.values()) {
        const id = idOf(name, record.key, record)
        // Where a value is not held, what it replaced may be remembered as gone under the value's stamp.
        if (record.kind === "entry" || !this.#written.has(id)) this.#written.set(id, heldOf(record))
      }
    }
  }

  /** Throws when a member holds what nobody wrote. */
  check({ member, name: who }: Cluster.Node): void {
    for (const [name, { replica }] of member.namespaces()) {
      if (!this.#floors.has(replica.floor)) {
        throw new Defect(`${who} cleared ${name} up to ${replica.floor}: nobody said that`)
      }
      for (const record of replica.records.values()) {
        if (record.writer === Stamp.collisionWriter && record.kind === "tombstone") continue
        const content = this.#written.get(idOf(name, record.key, record))
        const what = `${JSON.stringify(record.key)} of ${name} at ${Stamp.format(record)}`
        if (content === undefined) throw new Defect(`${who} holds ${what}, which nobody wrote`)
        if (record.kind === "entry" && content !== heldOf(record)) {
          throw new Defect(`${who} holds other bytes for ${what}`)
        }
      }
    }
  }
}

const heldOf = (record: Record): string =>
  record.kind === "entry" ? contentOf(record.crc, record.expiresAt, Packed.bytes(record.value)) : gone
