/** Reads the tables of Linux' `/proc/net` that say where multicast goes. Pure; what cannot be read is left out. */

/** A row of a routing table. */
export interface Route {
  readonly device: string
  /** The network's address and mask, or prefix, as bits. */
  readonly network: bigint
  readonly prefixBits: number
  readonly metric: number
  /** It says that there is no way. */
  readonly rejects: boolean
}

const rejectFlag = 0x200
const upFlag = 0x1

/** `/proc/net/route`: addresses are 32 bits in the order of a little-endian machine. */
export const routes4 = (text: string): ReadonlyArray<Route> =>
  rows(text).slice(1).flatMap((fields) => {
    if (fields.length < 8) return []
    const [device, destination, , flags, , , metric, mask] = fields
    const bits = parseInt(flags, 16)
    return (bits & upFlag) === 0 ? [] : [{
      device,
      network: swapped(destination),
      prefixBits: swapped(mask).toString(2).replaceAll("0", "").length,
      metric: Number(metric),
      rejects: (bits & rejectFlag) !== 0
    }]
  })

/** `/proc/net/ipv6_route`. */
export const routes6 = (text: string): ReadonlyArray<Route> =>
  rows(text).flatMap((fields) => {
    if (fields.length < 10 || !/^[0-9a-f]{32}$/i.test(fields[0])) return []
    const bits = parseInt(fields[8], 16)
    // What refuses is not up.
    return (bits & (upFlag | rejectFlag)) === 0 ? [] : [{
      device: fields[9],
      network: BigInt(`0x${fields[0]}`),
      prefixBits: parseInt(fields[1], 16),
      metric: parseInt(fields[5], 16),
      rejects: (bits & rejectFlag) !== 0
    }]
  })

/** The routes that lead to an address, the one that is taken first. */
export const routesTo = (address: bigint, bits: 32 | 128, routes: ReadonlyArray<Route>): ReadonlyArray<Route> =>
  routes.filter(({ network, prefixBits }) => {
    const shift = BigInt(bits - prefixBits)
    return address >> shift === network >> shift
  }).sort((left, right) => right.prefixBits - left.prefixBits || left.metric - right.metric)

/** The devices on which the kernel has joined a group, of `/proc/net/igmp`. */
export const joined4 = (text: string, group: bigint): ReadonlyArray<string> => {
  const devices: Array<string> = []
  let device = ""
  for (const line of text.split("\n").slice(1)) {
    // A device's line is "4 eth0 : 1 V3", with a long name "4 enp65s0f0: 1 V3"; those of its groups have no number before.
    const named = /^\s*\d+\s+(\S+?)\s*:\s/.exec(line)?.[1]
    const address = /^\s*([0-9a-f]{8})\s/i.exec(line)?.[1]
    if (named !== undefined) device = named
    else if (address !== undefined && swapped(address) === group) devices.push(device)
  }
  return devices
}

/** The same, of `/proc/net/igmp6`. */
export const joined6 = (text: string, group: bigint): ReadonlyArray<string> =>
  rows(text).flatMap((fields) =>
    fields.length >= 3 && /^[0-9a-f]{32}$/i.test(fields[2]) && BigInt(`0x${fields[2]}`) === group ? [fields[1]] : []
  )

/** An address in canonical text, as bits. */
export const bitsOf = (address: string): bigint => {
  if (!address.includes(":")) return address.split(".").reduce((bits, octet) => bits << 8n | BigInt(octet), 0n)
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""))
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail]
  return groups.reduce((bits, group) => bits << 16n | BigInt(`0x${group}`), 0n)
}

const rows = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text.split("\n").map((line) => line.trim().split(/\s+/)).filter((fields) => fields[0] !== "")

/** Eight hexadecimal digits of bytes in reverse order. */
const swapped = (hex: string): bigint => BigInt(`0x${hex.match(/../g)?.reverse().join("") ?? "0"}`)
