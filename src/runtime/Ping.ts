/**
 * What the system's `ping` tells of the way to an address: the largest payload that gets there in one piece, and how
 * many hops it takes. Both are searched by halves, and a probe that got no answer is repeated once, so that a lost one
 * does not count as an answer. Bounded: some 40 probes of at most a second each where the way swallows what is too
 * large, and a handful where it says what fits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { isIP } from "node:net"
import * as McCacheError from "../domain/McCacheError.ts"

/** What a program wrote, on both channels. */
export interface Output {
  readonly text: string
  /** The program is not there. */
  readonly missing: boolean
}

/** Runs a program and answers what it wrote, whatever its exit code is. */
export interface Spawner {
  readonly platform: string
  readonly run: (command: string, parameters: ReadonlyArray<string>) => Effect.Effect<Output>
}

const runMillisMax = 10_000

/** @category services */
export const Spawner: Context.Reference<Spawner> = Context.Reference<Spawner>("mccache/runtime/Ping/Spawner", {
  defaultValue: () => ({
    platform: process.platform,
    run: (command, parameters) =>
      Effect.callback<Output>((resume) => {
        const child = execFile(
          command,
          [...parameters],
          // In English: the words are read.
          { env: { ...process.env, LC_ALL: "C", LANG: "C" }, timeout: runMillisMax },
          (error, stdout, stderr) =>
            resume(Effect.succeed({ text: `${stdout}\n${stderr}`, missing: error !== null && error.code === "ENOENT" }))
        )
        return Effect.sync(() => child.kill())
      })
  })
})

/** What became of one echo request. */
export type Outcome =
  | { readonly _tag: "Reply" }
  /** Larger than the link or the way carries; `mtu` is the packet's bound where it was told. */
  | { readonly _tag: "TooLarge"; readonly mtu: number | undefined }
  /** Its hops were used up on the way. */
  | { readonly _tag: "Exceeded" }
  | { readonly _tag: "Unreachable" }
  /** Nothing came back. */
  | { readonly _tag: "Lost" }
  /** This `ping` lacks the options, or the right to send. */
  | { readonly _tag: "Refused"; readonly text: string }

/** Reads what `ping` wrote about one echo request: that of Linux (iputils, BusyBox), of macOS and FreeBSD. */
export const parse = (text: string): Outcome => {
  // On macOS and FreeBSD the errors of routers are "bytes from" lines too, so that the reply comes last.
  const tooLarge = /message too long|frag(?:mentation)? needed|packet too big/i.exec(text)
  if (tooLarge !== null) {
    const mtu = /mtu\W{1,3}(?<bytes>\d{2,5})/i.exec(text.slice(tooLarge.index))?.groups?.bytes
    return { _tag: "TooLarge", mtu: mtu === undefined ? undefined : Number(mtu) }
  }
  if (/time to live exceeded|time exceeded|hop limit exceeded/i.test(text)) return { _tag: "Exceeded" }
  if (/not permitted|permission denied|(?:invalid|illegal|unrecognized|unknown) option|usage:/i.test(text)) {
    return { _tag: "Refused", text: text.trim().split("\n", 1)[0] ?? "" }
  }
  if (/unreachable|no route to host|can't assign requested address/i.test(text)) return { _tag: "Unreachable" }
  return /\d bytes from /i.test(text) ? { _tag: "Reply" } : { _tag: "Lost" }
}

/** An echo request. */
export interface Probe {
  readonly payloadBytes: number
  readonly hops?: number | undefined
}

/** Hears of each probe before it is sent: a search may take half a minute. @category services */
export const Progress = Context.Reference<(probe: Probe) => Effect.Effect<void>>("mccache/runtime/Ping/Progress", {
  defaultValue: () => () => Effect.void
})

/** The parameters of one echo request of a whole payload, in one piece, for `ping` of the platform. */
export const command = (platform: string, ip: string, probe: Probe): readonly [string, ReadonlyArray<string>] => {
  const v6 = ip.includes(":")
  const size = ["-n", "-c", "1", "-s", String(probe.payloadBytes)]
  const hops = probe.hops === undefined ? [] : [String(probe.hops)]
  if (platform === "linux") {
    return ["ping", [v6 ? "-6" : "-4", ...size, "-W", "1", "-M", "do", ...hops.flatMap((n) => ["-t", n]), ip]]
  }
  // On macOS `ping6` has no time limit of its own; the run's ends it.
  if (platform === "darwin" && v6) return ["ping6", [...size, "-D", ...hops.flatMap((n) => ["-h", n]), ip]]
  const family = platform === "darwin" ? [] : [v6 ? "-6" : "-4"]
  return ["ping", [...family, ...size, "-W", "1000", "-D", ...hops.flatMap((n) => ["-m", n]), ip]]
}

const platforms: ReadonlyArray<string> = ["linux", "darwin", "freebsd"]

/** A small probe, for what every way carries. */
const probeBytes = 64
const attempts = 2

const ping = Effect.fnUntraced(function*(
  ip: string,
  probe: Probe
): Effect.fn.Return<Exclude<Outcome, { readonly _tag: "Refused" }>, McCacheError.McCacheError> {
  const spawner = yield* Spawner
  const progress = yield* Progress
  const [program, parameters] = command(spawner.platform, ip, probe)
  let outcome: Outcome = { _tag: "Lost" }
  for (let attempt = 0; attempt < attempts && outcome._tag === "Lost"; attempt++) {
    yield* progress(probe)
    const output = yield* spawner.run(program, parameters)
    if (output.missing) {
      return yield* McCacheError.make(
        "NetworkFailed",
        `The system's ${program} is missing, and mtu and hops need it. Install it: iputils-ping on Debian, ` +
          "iputils on Alpine."
      )
    }
    outcome = parse(output.text)
  }
  if (outcome._tag !== "Refused") return outcome
  return yield* McCacheError.make(
    "NetworkFailed",
    `The system's ${program} refused: ${outcome.text}. mtu and hops need one that may send, and that can forbid ` +
      "fragmentation (iputils on Linux; not BusyBox)."
  )
})

const check = Effect.fnUntraced(function*(ip: string): Effect.fn.Return<void, McCacheError.McCacheError> {
  // No name is looked up, and nothing that begins with a dash gets to the command line.
  if (typeof ip !== "string" || isIP(ip) === 0) {
    return yield* McCacheError.make(
      "InvalidConfig",
      `${JSON.stringify(ip)} is not an IP address. Give one like 10.0.0.7 or fe80::1%eth0, not a name.`
    )
  }
  const { platform } = yield* Spawner
  if (!platforms.includes(platform)) {
    return yield* McCacheError.make(
      "NetworkFailed",
      `mtu and hops need a ping as Linux, macOS and FreeBSD have it; this is ${platform}.`
    )
  }
})

const unreachable = (ip: string, within: string): McCacheError.McCacheError =>
  McCacheError.make(
    "NetworkFailed",
    `${ip} does not answer ping${within}. Is the address right, the host up, and ICMP let through?`
  )

/**
 * The largest UDP payload in bytes that gets to the address in one piece. An echo request has a header as large as
 * UDP's, so that their payloads are the same.
 *
 * Fails with `InvalidConfig` when `ip` is not an address, and with `NetworkFailed` when there is no usable `ping` or no
 * answer.
 */
export const mtu = Effect.fn("Ping.mtu")(function*(ip: string): Effect.fn.Return<number, McCacheError.McCacheError> {
  yield* check(ip)
  const headerBytes = ip.includes(":") ? 48 : 28
  if ((yield* ping(ip, { payloadBytes: probeBytes }))._tag !== "Reply") return yield* unreachable(ip, "")
  // `carried` is known to arrive, `refused` not to.
  let carried = probeBytes
  let refused = 65_536 - (ip.includes(":") ? 8 : 28)
  let told = refused - 1
  while (refused - carried > 1) {
    // Where the way tells what fits, that is tried next, and then the one byte more that should not fit.
    const payloadBytes = told > carried && told < refused
      ? told
      : told === carried
      ? carried + 1
      : (carried + refused) >> 1
    const outcome = yield* ping(ip, { payloadBytes })
    if (outcome._tag === "Reply") carried = payloadBytes
    else refused = payloadBytes
    if (outcome._tag === "TooLarge" && outcome.mtu !== undefined) told = outcome.mtu - headerBytes
  }
  return carried
})

/**
 * The hops to the address: the smallest hop limit with which it is reached, and so what `MCCACHE_MULTICAST_HOPS` has
 * to be at least. 1 is this host or the same link.
 *
 * Fails with `InvalidConfig` when `ip` is not an address or `max` is not in 1 to 255, and with `NetworkFailed` when
 * there is no usable `ping` or no answer within `max` hops.
 */
export const hops = Effect.fn("Ping.hops")(
  function*(ip: string, max: number = 20): Effect.fn.Return<number, McCacheError.McCacheError> {
    yield* check(ip)
    if (!Number.isInteger(max) || max < 1 || max > 255) {
      return yield* McCacheError.make("InvalidConfig", `max is ${max}; hops are whole numbers from 1 to 255.`)
    }
    const reaches = (limit: number) =>
      Effect.map(ping(ip, { payloadBytes: probeBytes, hops: limit }), (outcome) => outcome._tag === "Reply")
    if (!(yield* reaches(max))) return yield* unreachable(ip, ` within ${max} hops`)
    let short = 0
    let enough = max
    while (enough - short > 1) {
      const middle = (short + enough) >> 1
      if (yield* reaches(middle)) enough = middle
      else short = middle
    }
    return enough
  }
)
