import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Open from "../../src/runtime/Open.ts"
import * as Settings from "../../src/runtime/Settings.ts"

const groups = { IPv4: "224.0.0.3:4000", IPv6: "[ff02::4d43]:4000" } as const

const bytes = (family: keyof typeof groups, mtu: number | undefined, loopback = false, packetMtu?: number) =>
  Effect.map(
    Settings.load({ multicastIp: groups[family], packetMtu }, { env: {}, cwd: "/" }),
    ({ configuration }) => Open.datagramBytes(configuration, { loopback, mtu })
  )

describe("a datagram", () => {
  it.effect("is as large as the interface and Ethernet take unfragmented, and not smaller than a setting may be", () =>
    Effect.gen(function*() {
      for (
        const [mtu, ofIPv4, ofIPv6] of [
          [undefined, 1_472, 1_452],
          [1_500, 1_472, 1_452],
          [1_420, 1_392, 1_372],
          [9_000, 1_472, 1_452],
          [100, 508, 508]
        ] as const
      ) {
        assert.strictEqual(yield* bytes("IPv4", mtu), ofIPv4)
        assert.strictEqual(yield* bytes("IPv6", mtu), ofIPv6)
      }
    }))

  it.effect("is larger on loopback, and what the setting says anywhere", () =>
    Effect.gen(function*() {
      for (const family of ["IPv4", "IPv6"] as const) {
        assert.strictEqual(yield* bytes(family, 65_536, true), Open.loopbackDatagramBytesDefault)
        for (const loopback of [false, true]) assert.strictEqual(yield* bytes(family, 1_420, loopback, 8_000), 8_000)
      }
    }))
})
