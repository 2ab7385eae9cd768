/**
 * Sealing: datagrams that only holders of the cluster's key can make and read (section 9 of the design).
 *
 * With a key: per sender and epoch, HKDF-SHA256 (RFC 5869) with the sender's id as salt gives a key and an iv for
 * AES-256-GCM (NIST SP 800-38D); the nonce is the iv xor the counter, whose top bit says unicast. The clear header, and
 * for unicast the receiver's id, is authenticated. Without a key: a CRC-32 over the same and the cluster's name, which
 * tells corruption and strangers, not enemies.
 *
 * 1. No (key, nonce) is used twice: sender ids are random per process, counters only rise, epochs are never reused.
 * 2. Unknown senders cost at most `derivationsPerSecondMax` derivations a second; trusted ones are never pushed out, and
 *    come to their next epoch however many unknown ones there are.
 * 3. A former epoch is accepted for `formerEpochMillis` after a newer one proved itself, and is then never derived again.
 *
 * These are plain synchronous functions, called for every datagram; they have no effects but their own counters.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, type KeyObject } from "node:crypto"
import { crc32 } from "node:zlib"
import * as Datagram from "../domain/Datagram.ts"
import { read32, write32 } from "../domain/Fields.ts"
import * as MemberIds from "../domain/MemberId.ts"
import { type Margins, Slab } from "../domain/Slab.ts"
import type { MemberId } from "../domain/Stamp.ts"

export type OpenFailure = "malformed" | "unauthentic" | "foreign" | "unsealed" | "throttled"

export interface Sealing {
  readonly sealed: boolean
  /** What a datagram is larger than its body. */
  readonly overheadBytes: number
  /** Makes a datagram; unicast when a receiver is given. */
  readonly seal: (body: Uint8Array, receiver: MemberId | undefined) => Uint8Array
  /** As `seal`, for everybody, of a body that has `margins` around it and was not sealed in place before: without a copy, if it can. */
  readonly sealInPlace: (body: Uint8Array) => Uint8Array
  /** The counters that the next datagrams will have. */
  readonly counters: () => { readonly epoch: number; readonly multicast: number; readonly unicast: number }
  /** The authentic body of a datagram, or why there is none. Freshness is the session's business. */
  readonly open: (datagram: Uint8Array, header: Datagram.Header) => Uint8Array | OpenFailure
  /** Keeps a sender's keys until it is forgotten. */
  readonly trust: (sender: MemberId) => void
  readonly forget: (sender: MemberId) => void
  /** Datagrams opened by key id. */
  readonly opened: ReadonlyMap<number, number>
}

const tagBytes = 16
const crcBytes = 4
const epochDatagramsMax = 2 ** 24
const epochMillisMax = 24 * 3_600_000
const formerEpochMillis = 10_000
/** Subkeys of senders that are not trusted (yet). */
const strangersMax = 1_024

interface Subkey {
  /** Not its bytes, of which Node would make one for every datagram: that takes longer than sealing it. */
  readonly key: KeyObject
  readonly iv: Uint8Array
}

interface Epochs {
  /** Subkeys by key id and epoch. */
  readonly subkeys: Map<string, Subkey>
  /** Of the epoch that a trusted sender will be in next: derived once, whoever asked for it. */
  next: { readonly name: string; readonly subkey: Subkey } | undefined
  epoch: number
  formerEpoch: number
  formerUntil: number
}

/** The room that `sealInPlace` needs around a body. */
export const margins: Margins = { before: Datagram.headerBytes, after: crcBytes }

/** The id that tells cluster and key apart without telling either. */
const keyIdOf = (cluster: string, key: Uint8Array | undefined): number =>
  createHash("sha256").update("mccache1 key id\0").update(cluster).update("\0").update(key ?? new Uint8Array(0))
    .digest()
    .readUInt32BE(0)

export const make = (options: {
  readonly self: MemberId
  readonly cluster: string
  /** None: nothing is sealed. The first seals, all open. */
  readonly keys: ReadonlyArray<Uint8Array>
  /** Monotonic milliseconds. */
  readonly nowMillis: () => number
  /** Keys derived a second for senders that are not known, at most. */
  readonly derivationsPerSecondMax: number
}): Sealing => {
  const sealed = options.keys.length > 0
  const overheadBytes = Datagram.headerBytes + (sealed ? tagBytes : crcBytes)
  const selfBytes = MemberIds.toBytes(options.self)
  const cluster = new TextEncoder().encode(options.cluster)
  const keyIds = sealed
    ? options.keys.map((key) => keyIdOf(options.cluster, key))
    : [keyIdOf(options.cluster, undefined)]
  const secrets = new Map(options.keys.map((key, index) => [keyIds[index], key]))
  const clusterCrc = crc32(cluster)
  const opened = new Map<number, number>(keyIds.map((id) => [id, 0]))
  const trusted = new Map<MemberId, Epochs>()
  const strangers = new Map<MemberId, Epochs>()
  let derivations = 0
  let derivationsSince = -Infinity

  const slab = new Slab()

  const derive = (secret: Uint8Array, sender: Uint8Array, epoch: number): Subkey => {
    const info = new Uint8Array(8 + cluster.length + 4)
    info.set(new TextEncoder().encode("mccache1"))
    info.set(cluster, 8)
    new DataView(info.buffer).setUint32(8 + cluster.length, epoch)
    const bytes = new Uint8Array(hkdfSync("sha256", secret, sender, info, 44))
    return { key: createSecretKey(bytes.subarray(0, 32)), iv: bytes.slice(32) }
  }

  const nonceOf = (iv: Uint8Array, header: Uint8Array): Uint8Array => {
    const nonce = iv.slice()
    for (let index = 0; index < 8; index++) nonce[4 + index] ^= header[28 + index]
    return nonce
  }

  // ------------------------------------------------------------------------------------------------ sealing

  let epoch = 1
  let multicast = 1
  let unicast = 1
  let epochSince = options.nowMillis()
  let own = sealed ? derive(options.keys[0], selfBytes, epoch) : undefined

  const renew = (): void => {
    if (multicast + unicast < epochDatagramsMax && options.nowMillis() - epochSince < epochMillisMax) return
    epoch++
    multicast = 1
    unicast = 1
    epochSince = options.nowMillis()
    if (sealed) own = derive(options.keys[0], selfBytes, epoch)
  }

  const writeHeader = (datagram: Uint8Array, receiver: MemberId | undefined): void =>
    Datagram.encodeHeader(datagram, {
      sealed,
      unicast: receiver !== undefined,
      keyId: keyIds[0],
      sender: options.self,
      epoch,
      counter: receiver === undefined ? multicast++ : unicast++
    })

  const seal = (body: Uint8Array, receiver: MemberId | undefined): Uint8Array => {
    renew()
    const datagram = slab.take(overheadBytes + body.length)
    writeHeader(datagram, receiver)
    if (own === undefined) {
      datagram.set(body, Datagram.headerBytes)
      write32(checksum(datagram, receiver), datagram, datagram.length - crcBytes)
      return datagram
    }
    const header = datagram.subarray(0, Datagram.headerBytes)
    const cipher = createCipheriv("aes-256-gcm", own.key, nonceOf(own.iv, header))
    cipher.setAAD(header)
    if (receiver !== undefined) cipher.setAAD(MemberIds.toBytes(receiver))
    datagram.set(cipher.update(body), Datagram.headerBytes)
    cipher.final()
    datagram.set(cipher.getAuthTag(), Datagram.headerBytes + body.length)
    return datagram
  }

  const sealInPlace = (body: Uint8Array): Uint8Array => {
    // What is encrypted takes the place of what may have to be repeated.
    if (sealed) return seal(body, undefined)
    renew()
    const datagram = new Uint8Array(body.buffer, body.byteOffset - margins.before, body.length + overheadBytes)
    writeHeader(datagram, undefined)
    write32(checksum(datagram, undefined), datagram, datagram.length - crcBytes)
    return datagram
  }

  /** Over the cluster's name, header, body, and the receiver of a unicast. */
  const checksum = (datagram: Uint8Array, receiver: MemberId | undefined): number => {
    const crc = crc32(datagram.subarray(0, datagram.length - crcBytes), clusterCrc)
    return receiver === undefined ? crc : crc32(MemberIds.toBytes(receiver), crc)
  }

  // ------------------------------------------------------------------------------------------------ opening

  const epochsOf = (sender: MemberId): Epochs | undefined => trusted.get(sender) ?? strangers.get(sender)

  const mayDerive = (): boolean => {
    const now = options.nowMillis()
    if (now - derivationsSince >= 1_000) {
      derivationsSince = now
      derivations = 0
    }
    return ++derivations <= options.derivationsPerSecondMax
  }

  const open = (datagram: Uint8Array, header: Datagram.Header): Uint8Array | OpenFailure => {
    if (header.sealed !== sealed) return "unsealed"
    if (!opened.has(header.keyId)) return "foreign"
    if (datagram.length < overheadBytes) return "malformed"
    const receiver = header.unicast ? options.self : undefined
    if (!sealed) {
      if (read32(datagram, datagram.length - crcBytes) !== checksum(datagram, receiver)) return "unauthentic"
      opened.set(header.keyId, (opened.get(header.keyId) ?? 0) + 1)
      return datagram.subarray(Datagram.headerBytes, datagram.length - crcBytes)
    }
    const secret = secrets.get(header.keyId)
    if (secret === undefined) return "foreign"
    const known = epochsOf(header.sender)
    if (known !== undefined && header.epoch < known.epoch) {
      if (header.epoch !== known.formerEpoch || options.nowMillis() > known.formerUntil) return "unauthentic"
    }
    const name = `${header.keyId}/${header.epoch}`
    let subkey = known?.subkeys.get(name)
    const fresh = subkey === undefined
    if (subkey === undefined) {
      const sender = trusted.get(header.sender)
      const follows = sender !== undefined && header.epoch === sender.epoch + 1 &&
        sender.subkeys.has(`${header.keyId}/${sender.epoch}`)
      const derived = follows && sender.next?.name === name ? sender.next.subkey : undefined
      // During a rotation it may follow under either key: the first is free.
      if (derived === undefined && (!follows || sender.next !== undefined) && !mayDerive()) return "throttled"
      subkey = derived ?? derive(secret, MemberIds.toBytes(header.sender), header.epoch)
      if (follows) sender.next = { name, subkey }
    }
    const clear = datagram.subarray(0, Datagram.headerBytes)
    const body = decrypt(subkey, clear, datagram, receiver)
    if (body === undefined) return "unauthentic"
    if (fresh) remember(header, name, subkey)
    opened.set(header.keyId, (opened.get(header.keyId) ?? 0) + 1)
    return body
  }

  const decrypt = (
    subkey: Subkey,
    clear: Uint8Array,
    datagram: Uint8Array,
    receiver: MemberId | undefined
  ): Uint8Array | undefined => {
    const decipher = createDecipheriv("aes-256-gcm", subkey.key, nonceOf(subkey.iv, clear), { authTagLength: tagBytes })
    decipher.setAAD(clear)
    if (receiver !== undefined) decipher.setAAD(selfBytes)
    decipher.setAuthTag(datagram.subarray(datagram.length - tagBytes))
    try {
      const body = decipher.update(datagram.subarray(Datagram.headerBytes, datagram.length - tagBytes))
      decipher.final()
      return body
    } catch {
      return undefined
    }
  }

  /** Only subkeys that authenticated something are kept. */
  const remember = (header: Datagram.Header, name: string, subkey: Subkey): void => {
    let epochs = epochsOf(header.sender)
    if (epochs === undefined) {
      epochs = { subkeys: new Map(), next: undefined, epoch: header.epoch, formerEpoch: -1, formerUntil: 0 }
      if (strangers.size >= strangersMax) {
        for (const oldest of strangers.keys()) {
          strangers.delete(oldest)
          break
        }
      }
      strangers.set(header.sender, epochs)
    } else if (header.epoch > epochs.epoch) {
      epochs.formerEpoch = epochs.epoch
      epochs.formerUntil = options.nowMillis() + formerEpochMillis
      epochs.epoch = header.epoch
      epochs.next = undefined
      for (const known of epochs.subkeys.keys()) {
        if (!known.endsWith(`/${epochs.formerEpoch}`)) epochs.subkeys.delete(known)
      }
    }
    epochs.subkeys.set(name, subkey)
  }

  return {
    sealed,
    overheadBytes,
    seal,
    sealInPlace,
    counters: () => ({ epoch, multicast, unicast }),
    open,
    trust: (sender) => {
      const epochs = strangers.get(sender)
      if (epochs === undefined) return
      strangers.delete(sender)
      trusted.set(sender, epochs)
    },
    forget: (sender) => void trusted.delete(sender),
    opened
  }
}
