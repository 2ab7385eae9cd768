import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Interfaces from "../../src/runtime/Interfaces.ts"

const address = (text: string, internal: boolean, scopeid = 0) =>
  text.includes(":")
    ? { address: text, netmask: "ffff::", family: "IPv6" as const, mac: "", internal, cidr: null, scopeid }
    : { address: text, netmask: "255.0.0.0", family: "IPv4" as const, mac: "", internal, cidr: null }

const system: Interfaces.System = {
  lo: [address("127.0.0.1", true), address("::1", true)],
  eth0: [address("fe80::7", false, 2), address("10.0.0.7", false), address("fd00::7", false)],
  eth1: [address("192.168.1.7", false), address("fe80::8", false, 3)]
}

const hostOnly: Interfaces.System = { lo: [address("127.0.0.1", true)] }

const resolved = (setting: string, family: Interfaces.Family, hasKey: boolean, among = system) =>
  Effect.map(Interfaces.resolve(setting, family, hasKey, among), (one) => [one.address, one.name, one.loopback])

describe("resolve", () => {
  it.effect("auto is loopback without a key", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* resolved("auto", "IPv4", false), ["127.0.0.1", "lo", true])
      assert.deepStrictEqual(yield* resolved("auto", "IPv6", false), ["::1", "lo", true])
    }))

  it.effect("auto with a key is the first that reaches beyond the host, or loopback", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* resolved("auto", "IPv4", true), ["10.0.0.7", "eth0", false])
      assert.deepStrictEqual(yield* resolved("auto", "IPv6", true), ["fd00::7", "eth0", false])
      assert.deepStrictEqual(yield* resolved("auto", "IPv4", true, hostOnly), ["127.0.0.1", "lo", true])
    }))

  it.effect("a routable address of the loopback interface is not loopback, and comes last", () =>
    Effect.gen(function*() {
      const given: Interfaces.System = {
        lo: [address("10.0.0.5", true), address("127.0.0.1", true), address("2001:db8::5", true), address("::1", true)],
        eth0: [address("10.0.0.7", false), address("fd00::7", false)]
      }
      for (
        const [family, beyond, loopback, routable] of [
          ["IPv4", "10.0.0.7", "127.0.0.1", "10.0.0.5"],
          ["IPv6", "fd00::7", "::1", "2001:db8::5"]
        ] as const
      ) {
        assert.deepStrictEqual(Interfaces.list(family, given), [
          { address: beyond, name: "eth0", loopback: false },
          { address: loopback, name: "lo", loopback: true },
          { address: routable, name: "lo", loopback: false }
        ])
        for (const setting of ["auto", "lo"]) {
          assert.deepStrictEqual(yield* resolved(setting, family, false, given), [loopback, "lo", true])
        }
        assert.deepStrictEqual(yield* resolved(routable, family, false, given), [routable, "lo", false])
        assert.deepStrictEqual(yield* resolved("auto", family, true, given), [beyond, "eth0", false])
      }
    }))

  it.effect("takes names and addresses, and gives a link's address its zone", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* resolved("eth1", "IPv4", false), ["192.168.1.7", "eth1", false])
      assert.deepStrictEqual(yield* resolved("eth1", "IPv6", false), ["fe80::8%eth1", "eth1", false])
      assert.deepStrictEqual(yield* resolved("eth0", "IPv6", false), ["fd00::7", "eth0", false])
      assert.deepStrictEqual(yield* resolved("FE80::8", "IPv6", true), ["fe80::8%eth1", "eth1", false])
      assert.deepStrictEqual(yield* resolved("fe80::7%eth0", "IPv6", true), ["fe80::7%eth0", "eth0", false])
      assert.deepStrictEqual(yield* resolved("127.0.0.9", "IPv4", false), ["127.0.0.9", "lo", true])
    }))

  it.effect("refuses what is not there and says what is", () =>
    Effect.gen(function*() {
      for (const setting of ["eth7", "10.0.0.8", "127.0.0", "", "fe80::7"]) {
        const error = yield* Effect.flip(Interfaces.resolve(setting, "IPv4", true, system))
        assert.strictEqual(error.reason._tag, "InvalidConfig")
        assert.include(error.message, JSON.stringify(setting))
        assert.include(error.message, "eth0 10.0.0.7, eth1 192.168.1.7, lo 127.0.0.1")
      }
    }))

  it.effect("refuses auto where the family has no interface", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Interfaces.resolve("auto", "IPv6", false, hostOnly))
      assert.strictEqual(error.reason._tag, "InvalidConfig")
      assert.include(error.message, "IPv6")
      assert.include(error.message, "There are: none")
    }))

  it.effect("never takes an interface beyond the host without a key", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Interfaces.resolve("auto", "IPv4", false, { eth0: [address("10.0.0.7", false)] })
      )
      assert.strictEqual(error.reason._tag, "InvalidConfig")
    }))

  it.effect("knows this host's own loopback", () =>
    Effect.gen(function*() {
      const own = yield* Interfaces.resolve("auto", "IPv4", false)
      assert.strictEqual(own.address, "127.0.0.1")
      if (process.platform === "linux") assert.isAtLeast(own.mtu ?? 0, 1_280)
    }))
})
