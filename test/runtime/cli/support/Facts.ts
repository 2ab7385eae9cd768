/** Facts of a host where nothing is wrong, for tests that change one of them. */
import type { Facts, Heard, Sender, SettingsFacts } from "../../../../src/runtime/cli/DoctorFacts.ts"
import type { MemberInfo } from "../../../../src/services/Gather.ts"

export const settings: SettingsFacts = {
  cluster: "shop",
  group: "224.0.0.3",
  port: 4_000,
  family: "IPv4",
  hops: 1,
  interface: "eth0",
  keys: 1,
  insecure: false,
  packetBytes: 1_472,
  receiveBufferBytes: 4_194_304,
  clockKeepMillis: 125,
  clockAheadMillisMax: 500,
  dropPercent: 0,
  warnings: []
}

export const sender = (id: string | undefined, address: string, others: Partial<Sender> = {}): Sender => ({
  id,
  address,
  otherVersion: false,
  sealed: true,
  ours: id !== undefined,
  datagrams: 6,
  firstMillis: 100,
  lastMillis: 5_900,
  ...others
})

export const member = (id: string, address: string, others: Partial<MemberInfo> = {}): MemberInfo => ({
  id,
  label: `host:${id}`,
  thread: 0,
  differences: [],
  host: "host",
  pid: 1,
  address,
  version: "0.1.0",
  state: "ready",
  lag: 0,
  clockSkewMillis: 3,
  ...others
})

export const heard: Heard = {
  listenedMillis: 6_000,
  self: "self",
  senders: [sender("self", "192.0.2.1:50000"), sender("a", "192.0.2.2:50001")],
  members: [member("a", "192.0.2.2:50001")],
  met: new Set(["a"]),
  left: new Set(),
  refusals: [],
  unauthentic: 0
}

export const facts: Facts = {
  host: {
    platform: "linux",
    interfaces: [
      { name: "eth0", address: "192.0.2.1", loopback: false },
      { name: "lo", address: "127.0.0.1", loopback: true }
    ],
    device: { up: true, multicast: true, strictReversePath: false },
    routes: [{ device: "eth0", rejects: false }],
    joined: ["eth0"],
    receiveBufferBytesMax: 4_194_304
  },
  settings,
  interface: { name: "eth0", address: "192.0.2.1", loopback: false, mtu: 1_500 },
  receiveBufferBytes: 8_388_608,
  heard
}
