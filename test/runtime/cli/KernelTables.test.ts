import { assert, describe, it } from "@effect/vitest"
import * as HostFacts from "../../../src/runtime/cli/HostFacts.ts"
import * as KernelTables from "../../../src/runtime/cli/KernelTables.ts"
import { settings } from "./support/Facts.ts"

/** Recorded on Linux 6, with a route that refuses added by `ip route add unreachable 239.1.0.0/16`. */
const route = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth1	000000E0	00000000	0001	0	0	0	000000F0	0	0	0
*	000001EF	00000000	0201	0	0	0	0000FFFF	0	0	0
`

const igmp = `Idx	Device    : Count Querier	Group    Users Timer	Reporter
1	lo        :     2      V3
				030000E0     3 0:00000000		0
				010000E0     1 0:00000000		0
4	eth0      :     1      V3
				010000E0     1 0:00000000		0
`

const route6 =
  `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 80000001       lo
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`

const igmp6 = `1    lo              ff020000000000000000000000000001     1 0000000C 0
4    eth0            ff020000000000000000000000004d43     1 00000004 0
`

describe("the tables of the kernel", () => {
  const way = (group: string) =>
    KernelTables.routesTo(KernelTables.bitsOf(group), 32, KernelTables.routes4(route))
      .map(({ device, rejects }) => [device, rejects])

  it("give the routes to a group, the most particular one first", () => {
    assert.deepStrictEqual(way("224.0.0.3"), [["eth1", false], ["eth0", false]])
    assert.deepStrictEqual(way("239.1.2.3"), [["*", true], ["eth1", false], ["eth0", false]])
    assert.deepStrictEqual(way("192.0.2.9"), [["eth0", false], ["eth0", false]])
  })

  it("give those of IPv6, and which refuse", () => {
    const ways = KernelTables.routesTo(KernelTables.bitsOf("ff02::4d43"), 128, KernelTables.routes6(route6))
    assert.deepStrictEqual(ways.map(({ device, rejects }) => [device, rejects]), [
      ["eth0", false],
      ["lo", false],
      ["lo", true]
    ])
  })

  it("tell where a group is joined", () => {
    assert.deepStrictEqual(KernelTables.joined4(igmp, KernelTables.bitsOf("224.0.0.3")), ["lo"])
    assert.deepStrictEqual(KernelTables.joined4(igmp, KernelTables.bitsOf("224.0.0.1")), ["lo", "eth0"])
    assert.deepStrictEqual(KernelTables.joined4(igmp, KernelTables.bitsOf("239.0.0.1")), [])
    assert.deepStrictEqual(KernelTables.joined6(igmp6, KernelTables.bitsOf("ff02::4d43")), ["eth0"])
  })

  it("tell where a group is joined, however long the names of the devices are", () => {
    const table = `Idx	Device    : Count Querier	Group    Users Timer	Reporter
1	lo        :     1      V3
				010000E0     1 0:00000000		0
2	enp65s0f0np0:     2      V3
				030000E0     1 0:00000000		0
				010000E0     1 0:00000000		0
3	enp65s0f1n:     1      V3
				030000E0     1 0:00000000		0
4	eth0      :     1      V3
				010000E0     1 0:00000000		0
`
    const joined = (group: string) => KernelTables.joined4(table, KernelTables.bitsOf(group))
    assert.deepStrictEqual(joined("224.0.0.3"), ["enp65s0f0np0", "enp65s0f1n"])
    assert.deepStrictEqual(joined("224.0.0.1"), ["lo", "enp65s0f0np0", "eth0"])
  })

  it("that are not what they should be give nothing", () => {
    for (const text of ["", "\n\n", "one two", "x\t".repeat(40), route.slice(0, 130)]) {
      assert.deepStrictEqual(KernelTables.routes6(text), [])
      assert.deepStrictEqual(KernelTables.joined4(text, 1n), [])
      assert.deepStrictEqual(KernelTables.joined6(text, 1n), [])
    }
    assert.deepStrictEqual(KernelTables.routes4("header\nx y"), [])
  })
})

describe("the facts of a host", () => {
  const gather = (files: Readonly<Record<string, string>>, platform = "linux") =>
    HostFacts.gather(
      { platform, interfaces: [], environment: {}, read: (path) => files[path] },
      settings,
      { name: "eth0", address: "192.0.2.1", loopback: false, mtu: 1_500 }
    )

  it("come from the files of Linux", () => {
    assert.deepStrictEqual(
      gather({
        "/proc/net/route": route,
        "/proc/net/igmp": igmp,
        "/proc/sys/net/core/rmem_max": "212992\n",
        "/sys/class/net/eth0/flags": "0x1003\n",
        "/sys/class/net/eth0/master/uevent": "DEVTYPE=bridge\nINTERFACE=br0\nIFINDEX=3\n",
        "/sys/class/net/eth0/master/bridge/multicast_snooping": "1\n",
        "/sys/class/net/eth0/master/bridge/multicast_querier": "0\n",
        "/proc/sys/net/ipv4/conf/all/rp_filter": "0\n",
        "/proc/sys/net/ipv4/conf/eth0/rp_filter": "1\n",
        "/sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
        "/.dockerenv": ""
      }),
      {
        platform: "linux",
        interfaces: [],
        device: {
          up: true,
          multicast: true,
          bridge: { name: "br0", snooping: true, querier: false },
          strictReversePath: true
        },
        routes: KernelTables.routesTo(KernelTables.bitsOf("224.0.0.3"), 32, KernelTables.routes4(route)),
        joined: ["lo"],
        receiveBufferBytesMax: 212_992,
        cloud: "Amazon",
        container: "container"
      }
    )
  })

  it("are absent where nothing can be read", () => {
    const { device, joined, routes } = gather({})
    assert.deepStrictEqual({ joined, routes }, { joined: undefined, routes: undefined })
    assert.deepStrictEqual(Object.values(device).filter((each) => each !== undefined), [])
    assert.deepStrictEqual(gather({ "/proc/net/route": route }, "darwin"), {
      platform: "darwin",
      interfaces: [],
      device: {}
    })
  })
})
