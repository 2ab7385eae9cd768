/** The group that members meet in: a multicast address and a port, `224.0.0.3:4000` or `[ff02::1]:4000` as text. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** @category models */
export interface MulticastGroup {
  /** IPv4 or IPv6, in canonical form, without brackets. */
  readonly address: string
  readonly port: number
}

/** The port when the text names none. */
export const portDefault = 4_000

const form = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:[\]]+))(?::(?<port>\d{1,5}))?$/

/** The group that a text names, or `undefined` when it names none that is multicast. */
export const read = (input: unknown): MulticastGroup | undefined => {
  if (typeof input !== "string") return undefined
  const text = input.trim()
  // Without a port an IPv6 address may stand without brackets.
  const bare = parse(text)
  if (bare !== undefined) return { address: bare, port: portDefault }
  const { port = String(portDefault), v4 = "", v6 } = form.exec(text)?.groups ?? {}
  const address = parse(v6 ?? v4)
  if (address === undefined || address.includes(":") !== (v6 !== undefined)) return undefined
  return Number(port) >= 1 && Number(port) <= 65_535 ? { address, port: Number(port) } : undefined
}

const parse = (text: string): string | undefined => {
  const address = Result.getOrUndefined(NetAddress.ipFromString(text))
  return address !== undefined && NetAddress.isMulticast(address) ? NetAddress.formatIp(address) : undefined
}
