/**
 * A member on real UDP sockets whose network can be cut, in both directions, as when a cable is pulled: for repairs of what
 * two members wrote, or missed, meanwhile.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { performance } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import * as Open from "../../src/runtime/Open.ts"
import * as UdpNetwork from "../../src/runtime/UdpNetwork.ts"
import type { CacheCore } from "../../src/services/CacheCore.ts"
import type { Member } from "../../src/services/Member.ts"
import { Network } from "../../src/services/Network.ts"
import { Witness } from "../../src/services/Witness.ts"
import type { Options } from "../../src/standalone.ts"
import * as Cluster from "../support/JoinCluster.ts"
import * as Traffic from "../support/JoinTraffic.ts"
import { serve } from "../support/Processes.ts"

let cut = false
/** When takes of this member were begun and done, by a clock that both processes have. */
const begun: Array<number> = []
const done: Array<number> = []
const now = (): number => performance.timeOrigin + performance.now()

const cuttable = (port: number): Network["Service"] => {
  const whole = UdpNetwork.make({
    group: "224.0.0.3",
    port,
    interface: "127.0.0.1",
    hops: 1,
    receiveBufferBytes: 4 * 1_048_576,
    datagramBytesMax: Open.loopbackDatagramBytesDefault,
    random: Math.random
  })
  return {
    ...whole,
    multicast: (payloads) => Effect.suspend(() => cut ? Effect.void : whole.multicast(payloads)),
    unicast: (to, payloads) => Effect.suspend(() => cut ? Effect.void : whole.unicast(to, payloads)),
    receive: Effect.map(whole.receive, (pull) => Effect.map(pull, (batch) => cut ? [] : batch))
  }
}

interface Running {
  readonly member: Member
  readonly cache: CacheCore<string>
}

let running: Running | undefined
const get = (): Running => {
  if (running === undefined) throw new Error("It is not open.")
  return running
}

const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`it did not happen within a minute: ${what}`)
    await sleep(2)
  }
}

serve({
  open: async ({ entries, options, port }: {
    readonly entries: number
    readonly options: Options
    readonly port: number
  }) => {
    const scope = Effect.runSync(Scope.make())
    const member = await Effect.runPromise(
      Open.memberOnNetwork(options, { env: {} }).pipe(
        Effect.provideService(Network, cuttable(port)),
        Effect.provideService(Witness, {
          folded: () => undefined,
          accepted: () => undefined,
          took: (_member, _subject, _donor, stage) => void (stage === "asked" ? begun : done).push(now())
        }),
        Scope.provide(scope)
      )
    )
    running = { member, cache: member.cache<string>("n") }
    await Effect.runPromise(member.ready)
    const { cache } = running
    for (let index = 0; index < entries; index++) cache.set(Cluster.keyOf(index), Cluster.valueOf(index))
    await Effect.runPromise(member.flush())
  },
  cut: (given: boolean) => {
    cut = given
    begun.length = 0
    done.length = 0
    return now()
  },
  alone: () => until("the other is removed", () => get().member.members().length <= 1),
  set: ({ key, value }: { readonly key: string; readonly value: string }) => void get().cache.set(key, value),
  /** When the key has the value here. */
  has: async ({ key, value }: { readonly key: string; readonly value: string }) => {
    await until(`${key} is repaired`, () => get().cache.lookup(key)?.value === value)
    return now()
  },
  /** Ends when the last take that was begun is done; former ones may have been given up. */
  takes: async () => {
    await until("every take is done", () => begun.length === 0 || (done.at(-1) ?? 0) >= begun[begun.length - 1])
    return { begun: [...begun], done: [...done] }
  },
  traffic: () => Traffic.read(get().member.localMetrics()),
  checksum: () => get().member.localChecksum("n")
})
