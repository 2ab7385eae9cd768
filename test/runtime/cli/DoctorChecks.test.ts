import { assert, describe, it } from "@effect/vitest"
import * as CliOutput from "effect/cli/CliOutput"
import * as DoctorChecks from "../../../src/runtime/cli/DoctorChecks.ts"
import type { Facts, Heard, HostFacts, SettingsFacts } from "../../../src/runtime/cli/DoctorFacts.ts"
import * as FullScreen from "../../../src/runtime/cli/FullScreen.ts"
import { facts, heard, member, sender, settings } from "./support/Facts.ts"

const loopback = { name: "lo", address: "127.0.0.1", loopback: true, mtu: 65_536 }

const withHost = (host: Partial<HostFacts>): Facts => ({ ...facts, host: { ...facts.host, ...host } })
const withSettings = (changed: Partial<SettingsFacts>): Facts => ({ ...facts, settings: { ...settings, ...changed } })
const withHeard = (changed: Partial<Heard>): Facts => ({ ...facts, heard: { ...heard, ...changed } })

/** Status of a check, and the words that are told and advised. */
const told = (changed: Facts, check: string): ReadonlyArray<readonly [status: string, text: string]> =>
  DoctorChecks.findings(changed).filter((each) => each.check === check)
    .map(({ advice, measured, status }) => [status, `${measured} ${advice ?? ""}`])

/** That a check says just one thing, with the status, and that it names what is expected. */
const says = (changed: Facts, check: string, status: string, ...words: ReadonlyArray<string>): void => {
  const [first, ...others] = told(changed, check)
  assert.isDefined(first, `${check} says nothing`)
  assert.deepStrictEqual(others, [])
  assert.strictEqual(first[0], status, first[1])
  for (const word of words) assert.include(first[1], word)
}

describe("doctor", () => {
  it("finds nothing wrong where nothing is, and says what it could not look at", () => {
    const findings = DoctorChecks.findings(facts)
    assert.deepStrictEqual(findings.map(({ check, status }) => [check, status]), [
      ["settings", "ok"],
      ["key", "ok"],
      ["interface", "ok"],
      ["route", "ok"],
      ["group", "ok"],
      ["buffer", "ok"],
      ["packet size", "ok"],
      ["own echo", "ok"],
      ["members", "ok"],
      ["clock", "ok"],
      ["aging", "unchecked"],
      ["switches", "ok"]
    ])
    assert.strictEqual(DoctorChecks.summary(findings), "0 problems, 0 warnings")
  })

  it("every warning and every problem says what to do", () => {
    const wrong = DoctorChecks.findings({
      ...facts,
      host: {
        platform: "linux",
        interfaces: [],
        device: { multicast: false },
        routes: [],
        joined: [],
        cloud: "Amazon"
      },
      settings: { ...settings, keys: 0, insecure: true, hops: 3, dropPercent: 5, warnings: ["x"], packetBytes: 9_000 },
      receiveBufferBytes: 212_992,
      heard: { ...heard, senders: [sender(undefined, "192.0.2.9:1")], members: [], refusals: ["clock"], unauthentic: 3 }
    })
    const advised = wrong.filter(({ status }) => status === "warning" || status === "problem")
    assert.isAbove(advised.length, 12)
    for (const { advice, check } of advised) assert.isNotEmpty(advice, check)
  })

  it("stops at settings that cannot be read", () => {
    const { host } = facts
    assert.deepStrictEqual(
      told({ host, settingsProblem: "MCCACHE_CACHE_MODE is 7" }, "settings").map(([status]) => status),
      [
        "problem"
      ]
    )
    assert.lengthOf(DoctorChecks.findings({ host, settingsProblem: "MCCACHE_CACHE_MODE is 7" }), 1)
  })

  it("says when a group cannot pass routers", () => {
    const [, routed] = told(withSettings({ hops: 4 }), "settings")
    assert.strictEqual(routed[0], "warning")
    assert.include(routed[1], "239.0.0.0/8")
    assert.lengthOf(told(withSettings({ hops: 4, group: "239.1.2.3" }), "settings"), 1)
  })

  it("says what no key means", () => {
    says({ ...withSettings({ keys: 0 }), interface: loopback }, "key", "warning", "loopback", "MCCACHE_CRYPTO_KEY")
    says(withSettings({ keys: 0, insecure: true }), "key", "warning", "MCCACHE_INSECURE")
    says({ ...withSettings({ keys: 1 }), interface: loopback }, "interface", "warning", "this host only")
  })

  it("looks at the interface", () => {
    says({ ...facts, interface: undefined, interfaceProblem: "There is no nope" }, "interface", "problem", "nope")
    says(withHost({ device: { up: false } }), "interface", "problem", "ip link set dev eth0 up")
    says(withHost({ device: { up: true, multicast: false } }), "interface", "problem", "multicast on")
    const interfaces = [...facts.host.interfaces, { name: "docker0", address: "172.17.0.1", loopback: false }]
    says(
      { ...withHost({ interfaces }), settings: { ...settings, interface: "auto" } },
      "interface",
      "warning",
      "docker0"
    )
    says(withHost({ interfaces }), "interface", "ok")
  })

  it("judges routes by whether what was sent arrived", () => {
    const deaf = { ...heard, senders: [] }
    says(withHost({ routes: [] }), "route", "warning", "ip route add 224.0.0.0/4 dev eth0")
    says({ ...withHost({ routes: [] }), heard: deaf }, "route", "problem", "ip route add 224.0.0.0/4 dev eth0")
    says(withHost({ routes: [{ device: "eth1", rejects: false }] }), "route", "ok", "eth1")
    says(withHost({ routes: undefined, platform: "darwin" }), "route", "unchecked", "darwin")
    says(
      {
        ...withHost({ routes: [{ device: "lo", rejects: true }] }),
        settings: { ...settings, family: "IPv6", group: "ff02::1" },
        interface: { ...loopback, address: "::1" },
        heard: deaf
      },
      "route",
      "problem",
      "ip -6 route add local ff00::/8 dev lo"
    )
  })

  it("looks whether the group was joined", () => {
    says({ ...facts, openProblem: "The port is taken" }, "group", "problem", "The port is taken")
    says(withHost({ joined: ["lo"] }), "group", "problem", "lo")
    says(withHost({ joined: undefined, platform: "darwin" }), "group", "ok", "darwin")
  })

  it("tells the sysctl for a small buffer", () => {
    const small = { ...withHost({ receiveBufferBytesMax: 212_992 }), receiveBufferBytes: 425_984 }
    says(small, "buffer", "warning", "sysctl -w net.core.rmem_max=4194304", "212992")
    says({ ...withHost({ platform: "darwin" }), receiveBufferBytes: 425_984 }, "buffer", "warning", "maxsockbuf")
  })

  it("compares datagrams with what the interface carries", () => {
    const narrow = { name: "eth0", address: "192.0.2.1", loopback: false, mtu: 1_400 }
    says({ ...facts, interface: narrow }, "packet size", "warning", "MCCACHE_PACKET_MTU=1372")
    says({ ...withSettings({ packetBytes: 1_372 }), interface: narrow }, "packet size", "ok")
    says({ ...facts, interface: { ...narrow, mtu: undefined } }, "packet size", "unchecked")
  })

  it("hears itself or suspects a firewall", () => {
    says(withHeard({ senders: [sender("a", "192.0.2.2:50001")] }), "own echo", "problem", "firewall", "4000")
  })

  it("says who is there and who is not well", () => {
    says(withHeard({ members: [], senders: [sender("self", "192.0.2.1:50000")] }), "members", "warning", "two hosts")
    says(
      withHeard({ members: [member("a", "x", { state: "suspect" })] }),
      "members",
      "warning",
      "host:a at x (suspect)"
    )
  })

  it("finds who is heard and cannot be met, after the time that it takes to meet", () => {
    const stranger = sender("b", "192.0.2.3:50002")
    says(withHeard({ senders: [...heard.senders, stranger] }), "unicast", "problem", "192.0.2.3:50002", "unicast")
    assert.lengthOf(
      told(withHeard({ senders: [...heard.senders, { ...stranger, firstMillis: 4_500 }] }), "unicast"),
      0
    )
    assert.lengthOf(
      told(withHeard({ senders: [...heard.senders, stranger], met: new Set(["a", "b"]) }), "unicast"),
      0
    )
  })

  it("tells strangers by what keeps them apart", () => {
    const of = (changed: Partial<ReturnType<typeof sender>>, keys = 1) => ({
      ...withHeard({ senders: [...heard.senders, sender("b", "192.0.2.3:50002", { ours: false, ...changed })] }),
      settings: { ...settings, keys }
    })
    says(of({}), "strangers", "warning", "another key", "MCCACHE_CLUSTER")
    says(of({ sealed: false }), "strangers", "warning", "no key")
    says(of({ sealed: true }, 0), "strangers", "warning", "none here")
    says(of({ sealed: false }, 0), "strangers", "warning", "another cluster")
    says(of({ otherVersion: true }), "strangers", "warning", "another version")
    const alone = of({})
    says({ ...alone, heard: { ...heard, ...alone.heard, members: [] } }, "strangers", "problem")
  })

  it("notices other programs, refusals and forgeries", () => {
    says(
      withHeard({ senders: [...heard.senders, sender(undefined, "192.0.2.9:5353")] }),
      "other traffic",
      "warning",
      "192.0.2.9:5353 (6 datagrams)"
    )
    says(withHeard({ refusals: ["its clock is 4 s ahead"] }), "refused", "problem", "4 s ahead")
    says(withHeard({ unauthentic: 2 }), "refused", "warning", "2 datagrams")
  })

  it("tells whose clock is wrong", () => {
    const skewed = (...skews: ReadonlyArray<number>) =>
      withHeard({
        members: skews.map((clockSkewMillis, at) => member(`m${at}`, `192.0.2.${at + 2}:1`, { clockSkewMillis }))
      })
    says(skewed(10, -20, 120), "clock", "ok", "120 ms")
    says(skewed(200, 210, 190), "clock", "warning", "This host's clock is 200 ms behind")
    says(skewed(-900, -901, -899), "clock", "problem", "900 ms ahead")
    says(skewed(0, 5, -700), "clock", "problem", "The clock of host:m2 is 700 ms behind")
  })

  it("catches memberships that age out, when it listened long enough", () => {
    const long = { listenedMillis: 600_000 }
    const own = sender("self", "192.0.2.1:50000", { lastMillis: 599_500 })
    const alive = sender("a", "192.0.2.2:50001", { lastMillis: 599_000 })
    const silent = sender("b", "192.0.2.3:50002", { lastMillis: 260_000 })
    says(withHeard({ ...long, senders: [own, alive] }), "aging", "ok", "600 s")
    says(withHeard({ ...long, senders: [own, alive, silent] }), "aging", "problem", "260 s", "340 s", "querier")
    says(withHeard({ ...long, senders: [own, alive, silent], left: new Set(["b"]) }), "aging", "ok")
    // Of this host, no switch is in between.
    says(withHeard({ ...long, senders: [own, sender("b", "192.0.2.1:50002")] }), "aging", "unchecked")
  })

  it("tells of switches, clouds, containers and reverse paths", () => {
    const routed = withSettings({ group: "239.1.2.3" })
    says(routed, "switches", "unchecked", "querier")
    const device = { up: true, bridge: { name: "br0", snooping: true, querier: false } }
    says({ ...routed, host: { ...facts.host, device } }, "switches", "warning", "br0", "mcast_querier 1")
    says(withHost({ cloud: "Amazon" }), "surroundings", "warning", "Transit Gateway")
    says(withHost({ container: "Kubernetes" }), "surroundings", "warning", "hostNetwork")
    says(withHost({ container: "container" }), "surroundings", "warning", "--network host")
    const interfaces = [...facts.host.interfaces, { name: "eth1", address: "198.51.100.1", loopback: false }]
    says(
      { ...withHost({ interfaces, device: { up: true, strictReversePath: true } }), heard: { ...heard, members: [] } },
      "reverse path",
      "warning",
      "rp_filter=2"
    )
    for (const check of ["switches", "surroundings", "aging"]) {
      assert.lengthOf(told({ ...withHost({ cloud: "Amazon" }), interface: loopback }, check), 0, check)
    }
  })

  it("is told in lines that fit, without anything that a terminal obeys", () => {
    const lines = DoctorChecks.lines([
      {
        check: "refused",
        status: "problem",
        measured: `\x1b[2J${"long words ".repeat(20)}`,
        advice: "do this ".repeat(20)
      },
      { check: "group", status: "ok", measured: "joined", advice: "not told" }
    ], 80).map((line) => FullScreen.paint(line, false))
    assert.isAbove(lines.length, 5)
    for (const line of lines) {
      assert.isAtMost(CliOutput.displayWidth(line), 80)
      assert.notInclude(line, "\x1b")
    }
    assert.include(lines.join("\n"), "→ do this")
    assert.notInclude(lines.join("\n"), "not told")
  })
})
