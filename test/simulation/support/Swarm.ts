/**
 * One random run of a simulated cluster: the seed derives members, faults, workload and clocks. A safety phase under faults
 * with the checkers looking all along, then everything heals and the members must come together.
 */
import * as Effect from "effect/Effect"
import * as NetworkFaults from "../../../src/runtime/NetworkFaults.ts"
import * as Checkers from "../../../src/runtime/testing/Checkers.ts"
import * as Cluster from "../../../src/runtime/testing/Cluster.ts"

export interface Result {
  readonly trace: string
  readonly operations: number
  readonly datagrams: number
  readonly members: number
}

const namespace = "swarm"

/**
 * Runs a seed for so many virtual seconds. Only in mode 1 do members hold the same in the end; in the others what is held
 * must be the newest all the same.
 */
export const run = Effect.fnUntraced(function*(seed: number, seconds: number, cacheMode: 0 | 1 | 2 = 1) {
  const random = NetworkFaults.mulberry32(seed)
  const below = (bound: number): number => Math.floor(random() * bound)
  const size = 3 + below(5)
  const lossMax = random() < 0.2 ? 0 : 0.3 * random()
  const stormy = random() < 0.7
  // Some partitions outlast the membership: their members meet again as strangers.
  const healing = random() < 0.4 ? 0.008 : 0.08
  const keys = 5 + below(60)
  const options = {
    cacheMode,
    cacheMax: random() < 0.5 ? 1_000 : 10 + below(40),
    cacheTtl: random() < 0.5 ? 0 : 5 + below(60),
    cacheCollision: random() < 0.5 ? "tie" as const : "latest" as const,
    ...(random() < 0.3 ? { cryptoKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" } : {})
  }
  const cluster = yield* Cluster.make({
    seed,
    options,
    faults: { loss: lossMax, delay: { minMillis: 0.5, maxMillis: 4 } }
  })
  const observer = Checkers.observe(cluster, namespace)
  let started = 0
  const start = Effect.fnUntraced(function*(skewed: boolean) {
    const node = yield* cluster.join(`m${++started}`, { skewMillis: skewed ? below(801) - 400 : 0 })
    yield* node.mccache.cache(namespace)
  })
  const skewed = random() < 0.5
  for (let index = 0; index < size; index++) yield* start(skewed)
  yield* cluster.advance("1 second")
  let operations = 0
  const pick = <A>(list: ReadonlyArray<A>): A => list[below(list.length)]
  const step = 250
  for (let at = 0; at < seconds * 1_000; at += step) {
    for (let count = below(12); count > 0; count--) {
      const node = pick(cluster.nodes())
      const core = node.member.cache<unknown>(namespace)
      const key = random() < 0.9 ? `k${Math.min(below(keys), below(keys))}` : below(keys)
      operations++
      Checkers.isolated(node, () => {
        const dice = random()
        if (dice < 0.55) core.set(key, { seed, operations, text: "x".repeat(below(random() < 0.02 ? 6_000 : 60)) })
        else if (dice < 0.7) core.delete(key)
        else if (dice < 0.71) core.clear()
        else if (dice < 0.75) core.set(key, operations, { ttl: 0.2 + random() * 3 })
        else core.get(key)
      })
    }
    const fate = stormy ? random() : 1
    const nodes = cluster.nodes().map(({ name }) => name)
    if (fate < 0.02 && nodes.length > 2) yield* cluster.kill(pick(nodes))
    else if (fate < 0.05 && nodes.length < 8) yield* start(skewed)
    else if (fate < 0.07) {
      const cut = 1 + below(nodes.length - 1)
      cluster.partition([nodes.slice(0, cut), nodes.slice(cut)])
    } else if (fate < 0.08) cluster.hub.block(pick(nodes), pick(nodes))
    else if (fate < 0.08 + healing) cluster.heal()
    else if (fate > 0.96) {
      cluster.faults({
        loss: random() * lossMax,
        lossBurstDatagrams: 1 + below(5),
        duplication: random() * 0.2,
        delay: { minMillis: 0.5, maxMillis: 1 + below(40) }
      })
    }
    yield* cluster.advance(step)
    Checkers.look(observer)
  }
  const converged = (): void => {
    if (cacheMode === 1) Checkers.convergence(observer)
    Checkers.newest(observer)
  }
  // Heal, and give it the time that the invariant allows.
  cluster.heal()
  cluster.faults({ delay: { minMillis: 0.5, maxMillis: 2 } })
  const quietAfter = 60
  for (let second = 0; second < quietAfter; second++) {
    yield* cluster.advance("1 second")
    Checkers.look(observer)
    if (cacheMode === 1 && second >= 8 && Checkers.differences(observer).length === 0) break
  }
  converged()
  // Until those that died are removed, others ask for them.
  yield* cluster.advance("10 seconds")
  const since = observer.datagrams
  yield* cluster.advance("10 seconds")
  Checkers.look(observer)
  converged()
  Checkers.quiet(observer, since, 10)
  const result: Result = {
    trace: cluster.trace(),
    operations,
    datagrams: observer.datagrams,
    members: cluster.nodes().length
  }
  return result
})
