import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ping from "../../src/runtime/Ping.ts"

/** Recorded with iputils 20221126 and BusyBox 1.35 on Linux; macOS and FreeBSD as their manuals and users show them. */
const recorded: ReadonlyArray<
  readonly [name: string, outcome: Ping.Outcome["_tag"], mtu: number | undefined, text: string]
> = [
  [
    "iputils, reply",
    "Reply",
    undefined,
    `PING 127.0.0.1 (127.0.0.1) 64(92) bytes of data.
72 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.311 ms

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.311/0.311/0.311/0.000 ms`
  ],
  [
    "iputils, larger than the link",
    "TooLarge",
    1_500,
    `PING 10.78.0.1 (10.78.0.1) 1473(1501) bytes of data.
/bin/ping: local error: message too long, mtu=1500

--- 10.78.0.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms`
  ],
  [
    "iputils, larger than a later link",
    "TooLarge",
    1_400,
    `PING 10.78.0.1 (10.78.0.1) 1472(1500) bytes of data.
From 10.77.0.2 icmp_seq=1 Frag needed and DF set (mtu = 1400)

--- 10.78.0.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms`
  ],
  [
    "iputils, hops used up",
    "Exceeded",
    undefined,
    `PING 10.78.0.1 (10.78.0.1) 56(84) bytes of data.
From 10.77.0.2 icmp_seq=1 Time to live exceeded

--- 10.78.0.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms`
  ],
  [
    "iputils, no answer",
    "Lost",
    undefined,
    `PING 10.78.0.99 (10.78.0.99) 56(84) bytes of data.

--- 10.78.0.99 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms`
  ],
  ["iputils, no route", "Unreachable", undefined, "/bin/ping: connect: Network is unreachable"],
  [
    "iputils IPv6, reply",
    "Reply",
    undefined,
    `PING ::1(::1) 64 data bytes
72 bytes from ::1: icmp_seq=1 ttl=64 time=0.030 ms

--- ::1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms`
  ],
  [
    "iputils IPv6, larger than the link",
    "TooLarge",
    1_500,
    `PING fd78::1(fd78::1) 1453 data bytes
/bin/ping: local error: message too long, mtu: 1500

--- fd78::1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms`
  ],
  [
    "iputils IPv6, larger than a later link",
    "TooLarge",
    1_400,
    `PING fd78::1(fd78::1) 1452 data bytes
From fd77::2 icmp_seq=1 Packet too big: mtu=1400

--- fd78::1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms`
  ],
  [
    "iputils IPv6, hops used up",
    "Exceeded",
    undefined,
    `PING fd78::1(fd78::1) 56 data bytes
From fd77::2 icmp_seq=1 Time exceeded: Hop limit`
  ],
  [
    "iputils IPv6, no route",
    "Unreachable",
    undefined,
    `PING fd99::1(fd99::1) 56 data bytes
From fd77::2 icmp_seq=1 Destination unreachable: No route`
  ],
  [
    "iputils without the right to send",
    "Refused",
    undefined,
    `/bin/ping: socktype: SOCK_RAW
/bin/ping: socket: Operation not permitted
/bin/ping: => missing cap_net_raw+p capability or setuid?`
  ],
  [
    "BusyBox, which knows no -M",
    "Refused",
    undefined,
    `ping: invalid option -- 'M'
BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.

Usage: ping [OPTIONS] HOST`
  ],
  [
    "BusyBox, reply",
    "Reply",
    undefined,
    `PING 127.0.0.1 (127.0.0.1): 56 data bytes
64 bytes from 127.0.0.1: seq=0 ttl=64 time=0.040 ms`
  ],
  [
    "macOS, reply",
    "Reply",
    undefined,
    `PING 127.0.0.1 (127.0.0.1): 64 data bytes
72 bytes from 127.0.0.1: icmp_seq=0 ttl=64 time=0.064 ms

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 1 packets received, 0.0% packet loss`
  ],
  [
    "macOS, larger than the link",
    "TooLarge",
    undefined,
    `PING 10.0.0.9 (10.0.0.9): 1473 data bytes
ping: sendto: Message too long

--- 10.0.0.9 ping statistics ---
1 packets transmitted, 0 packets received, 100.0% packet loss`
  ],
  [
    "macOS, larger than a later link",
    "TooLarge",
    1_400,
    `PING 10.78.0.1 (10.78.0.1): 1472 data bytes
556 bytes from 10.77.0.2: frag needed and DF set (MTU 1400)
Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst
 4  5  00 dc05 7b3a   0 0000  40  01 0000 10.77.0.1  10.78.0.1`
  ],
  [
    "macOS, hops used up",
    "Exceeded",
    undefined,
    `PING 10.78.0.1 (10.78.0.1): 64 data bytes
92 bytes from 10.77.0.2: Time to live exceeded
Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst
 4  5  00 5c00 1d2c   0 0000  01  01 0000 10.77.0.1  10.78.0.1`
  ],
  ["macOS, no route", "Unreachable", undefined, "ping: sendto: No route to host"],
  ["nothing", "Lost", undefined, ""]
]

/** A way that carries packets of `mtu` bytes, `routers` hops long; it tells what is too large, or swallows it. */
const way = (options: {
  readonly mtu?: number
  readonly hops?: number
  readonly silent?: boolean
  readonly losesEvery?: number
  readonly platform?: string
}) => {
  const { hops = 1, losesEvery = Infinity, mtu = 1_500, platform = "linux", silent = false } = options
  const commands: Array<string> = []
  const spawner: Ping.Spawner = {
    platform,
    run: (command, parameters) =>
      Effect.sync(() => {
        commands.push(`${command} ${parameters.join(" ")}`)
        const value = (flag: string): number => {
          const at = parameters.indexOf(flag)
          return at < 0 ? Infinity : Number(parameters[at + 1])
        }
        const ip = parameters.at(-1) ?? ""
        const headerBytes = ip.includes(":") ? 48 : 28
        const lost = commands.length % losesEvery === 0
        const text = lost || (value("-s") + headerBytes > mtu && silent)
          ? "1 packets transmitted, 0 received, 100% packet loss"
          : value("-s") + headerBytes > mtu
          ? `From 10.77.0.2 icmp_seq=1 Frag needed and DF set (mtu = ${mtu})`
          : value("-t") < hops
          ? "From 10.77.0.2 icmp_seq=1 Time to live exceeded"
          : `64 bytes from ${ip}: icmp_seq=1 ttl=63 time=0.2 ms`
        return { text, missing: false }
      })
  }
  return { commands, run: Effect.provideService(Ping.Spawner, spawner) }
}

const answering = (output: Ping.Output) =>
  Effect.provideService(Ping.Spawner, { platform: "linux", run: () => Effect.succeed(output) })

describe("parse", () => {
  for (const [name, outcome, mtu, text] of recorded) {
    it(`reads ${name}`, () => {
      const parsed = Ping.parse(text)
      assert.strictEqual(parsed._tag, outcome)
      assert.strictEqual(parsed._tag === "TooLarge" ? parsed.mtu : undefined, mtu)
    })
  }
})

describe("command", () => {
  it("forbids fragmentation and asks once, on every platform", () => {
    const of = (platform: string, ip: string, hops?: number) => {
      const [program, parameters] = Ping.command(platform, ip, { payloadBytes: 1_472, hops })
      return [program, ...parameters].join(" ")
    }
    assert.strictEqual(of("linux", "10.0.0.7"), "ping -4 -n -c 1 -s 1472 -W 1 -M do 10.0.0.7")
    assert.strictEqual(of("linux", "fe80::1%eth0", 3), "ping -6 -n -c 1 -s 1472 -W 1 -M do -t 3 fe80::1%eth0")
    assert.strictEqual(of("darwin", "10.0.0.7", 3), "ping -n -c 1 -s 1472 -W 1000 -D -m 3 10.0.0.7")
    assert.strictEqual(of("darwin", "fe80::1", 3), "ping6 -n -c 1 -s 1472 -D -h 3 fe80::1")
    assert.strictEqual(of("freebsd", "fe80::1"), "ping -6 -n -c 1 -s 1472 -W 1000 -D fe80::1")
  })
})

describe("mtu", () => {
  it.effect("finds the largest payload in a few probes where the way tells what fits", () =>
    Effect.gen(function*() {
      const { commands, run } = way({ mtu: 1_400 })
      assert.strictEqual(yield* run(Ping.mtu("10.78.0.1")), 1_372)
      assert.isAtMost(commands.length, 4)
    }))

  it.effect("finds it where too large ones vanish", () =>
    Effect.gen(function*() {
      const { commands, run } = way({ mtu: 1_437, silent: true })
      assert.strictEqual(yield* run(Ping.mtu("10.78.0.1")), 1_409)
      assert.isAtMost(commands.length, 40)
    }))

  it.effect("is not misled by probes that were lost", () =>
    Effect.gen(function*() {
      const { run } = way({ mtu: 1_437, losesEvery: 3 })
      assert.strictEqual(yield* run(Ping.mtu("10.78.0.1")), 1_409)
    }))

  it.effect("finds the largest that there is, for both families", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* way({ mtu: 65_536 }).run(Ping.mtu("127.0.0.1")), 65_507)
      assert.strictEqual(yield* way({ mtu: 1_280 }).run(Ping.mtu("fd78::1")), 1_232)
    }))

  it.effect("finds every size", () =>
    Effect.gen(function*() {
      for (let mtu = 92; mtu < 65_536; mtu += 997) {
        assert.strictEqual(yield* way({ mtu }).run(Ping.mtu("10.78.0.1")), mtu - 28)
        assert.strictEqual(yield* way({ mtu, silent: true }).run(Ping.mtu("10.78.0.1")), mtu - 28)
      }
    }))

  it.effect("fails when nobody answers", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(answering({ text: "100% packet loss", missing: false })(Ping.mtu("10.0.0.7")))
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.include(error.message, "10.0.0.7 does not answer")
    }))
})

describe("hops", () => {
  it.effect("is the smallest hop limit that gets there", () =>
    Effect.gen(function*() {
      for (let hops = 1; hops <= 20; hops++) {
        assert.strictEqual(yield* way({ hops }).run(Ping.hops("10.78.0.1")), hops)
      }
      assert.strictEqual(yield* way({ hops: 255 }).run(Ping.hops("10.78.0.1", 255)), 255)
      assert.strictEqual(yield* way({ hops: 1 }).run(Ping.hops("127.0.0.1", 1)), 1)
    }))

  it.effect("fails when it is farther away than asked", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(way({ hops: 6 }).run(Ping.hops("10.78.0.1", 5)))
      assert.strictEqual(error.reason._tag, "NetworkFailed")
      assert.include(error.message, "within 5 hops")
    }))

  it.effect("refuses a bound that is not 1 to 255, without asking", () =>
    Effect.gen(function*() {
      for (const max of [0, 256, 1.5, -1, Number.NaN]) {
        const { commands, run } = way({})
        const error = yield* Effect.flip(run(Ping.hops("10.78.0.1", max)))
        assert.strictEqual(error.reason._tag, "InvalidConfig")
        assert.include(error.message, String(max))
        assert.isEmpty(commands)
      }
    }))
})

describe("both", () => {
  it.effect("refuse what is no address, without asking", () =>
    Effect.gen(function*() {
      for (const ip of ["", "localhost", "-f", "10.0.0", "10.0.0.256", "10.0.0.7; reboot", "10.0.0.7 -f", "fe80::g"]) {
        for (const ask of [Ping.mtu(ip), Ping.hops(ip)]) {
          const { commands, run } = way({})
          assert.strictEqual((yield* Effect.flip(run(ask))).reason._tag, "InvalidConfig")
          assert.isEmpty(commands)
        }
      }
    }))

  it.effect("say so when ping is missing, refuses, or is of another kind", () =>
    Effect.gen(function*() {
      const missing = yield* Effect.flip(answering({ text: "", missing: true })(Ping.hops("127.0.0.1")))
      assert.strictEqual(missing.reason._tag, "NetworkFailed")
      assert.include(missing.message, "is missing")
      const refused = yield* Effect.flip(
        answering({ text: "ping: invalid option -- 'M'", missing: false })(Ping.mtu("127.0.0.1"))
      )
      assert.strictEqual(refused.reason._tag, "NetworkFailed")
      assert.include(refused.message, "invalid option -- 'M'")
      const foreign = yield* Effect.flip(way({ platform: "win32" }).run(Ping.mtu("127.0.0.1")))
      assert.strictEqual(foreign.reason._tag, "NetworkFailed")
      assert.include(foreign.message, "win32")
    }))

  it.live("work with this system's ping on loopback, or say what is wrong with it", () =>
    Effect.gen(function*() {
      const mtu = yield* Effect.result(Ping.mtu("127.0.0.1"))
      const hops = yield* Effect.result(Ping.hops("127.0.0.1"))
      if (mtu._tag === "Success" && hops._tag === "Success") {
        assert.isAtLeast(mtu.success, 1_200)
        assert.strictEqual(hops.success, 1)
      } else {
        for (const result of [mtu, hops]) {
          assert.strictEqual(result._tag === "Failure" ? result.failure.reason._tag : "Success", "NetworkFailed")
        }
      }
    }))
})
