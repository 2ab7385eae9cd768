/** The text for Prometheus, as a scrape gets it over HTTP, read by a parser of the format. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import { once } from "node:events"
import { createServer } from "node:http"
import parse from "parse-prometheus-text-format"
import { McCache } from "../../src/index.ts"
import { McCachePrometheus } from "../../src/prometheus.ts"
import { definitions } from "../../src/services/MetricTable.ts"
import { rejected, settings, start, until } from "../runtime/support/Loopback.ts"

const types = { counter: "COUNTER", gauge: "GAUGE", histogram: "HISTOGRAM" }

/** The text of a server, parsed: it must have every metric, each once. */
const scrape = async (url: string) => {
  const response = await fetch(url)
  assert.strictEqual(response.status, 200)
  assert.strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
  const text = await response.text()
  const families = parse(text)
  assert.deepStrictEqual(
    families.map(({ help, name, type }) => ({ name, help, type })).sort((a, b) => a.name < b.name ? -1 : 1),
    definitions.map(({ description, kind, name }) => ({ name, help: description, type: types[kind] }))
      .sort((a, b) => a.name < b.name ? -1 : 1)
  )
  /** The number of the only line that begins so: the parser drops count and sum of a histogram that has labels. */
  const line = (start: string): number => {
    const found = text.split("\n").filter((one) => one.startsWith(start))
    assert.lengthOf(found, 1, start)
    return Number(found[0].slice(found[0].lastIndexOf(" ")))
  }
  const sample = (name: string, labels: Record<string, string> = {}) => {
    const samples =
      families.find((family) => family.name === name)?.metrics.filter((sample) =>
        Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value)
      ) ?? []
    assert.lengthOf(samples, 1, `${name} ${JSON.stringify(labels)}`)
    return samples[0]
  }
  return { line, sample }
}

describe("without Effect", () => {
  it("a server of node:http answers with every metric", async () => {
    const [mccache, other] = await Promise.all([start(), start()])
    const server = createServer(mccache.prometheusHandler()).listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    if (address === null || typeof address === "string") return assert.fail("it listens nowhere")
    const url = `http://127.0.0.1:${address.port}/metrics`
    try {
      // A name with everything that the format must escape.
      const name = "a \"quoted\\\" name\nin two lines"
      const cache = mccache.cache<number>(name)
      const theirs = other.cache<number>(name)
      await until(() => mccache.members().length === 2, "two members know each other")
      await Promise.all([mccache.ready(), other.ready()])
      cache.set("a", 1)
      cache.get("a")
      cache.get("b")
      theirs.set("c", 3)
      await other.flush()
      const scraped = await scrape(url)
      const first = scraped.sample
      assert.strictEqual(first("mccache_entries", { namespace: name, cluster: settings.cluster ?? "" }).value, "2")
      assert.strictEqual(first("mccache_lookups_total", { namespace: name }).value, "2")
      assert.strictEqual(first("mccache_misses_total", { namespace: name }).value, "1")
      assert.strictEqual(first("mccache_members", { state: "ready" }).value, "1")
      assert.strictEqual(first("mccache_members", { state: "self" }).value, "1")
      assert.strictEqual(first("mccache_queue_depth", { actor: "namespace", namespace: name }).value, "0")
      const { buckets = {} } = first("mccache_propagation_seconds")
      // An object has keys that are whole numbers first.
      const bound = (le: string): number => le === "+Inf" ? Infinity : Number(le)
      const counts = Object.entries(buckets).sort(([a], [b]) => bound(a) - bound(b)).map(([, upTo]) => Number(upTo))
      assert.deepStrictEqual(counts, [...counts].sort((a, b) => a - b))
      assert.strictEqual(Number(buckets["+Inf"]), mccache.localMetrics().propagation.count)
      assert.strictEqual(scraped.line("mccache_propagation_seconds_count"), mccache.localMetrics().propagation.count)
      assert.isBelow(scraped.line("mccache_propagation_seconds_sum"), 10)

      cache.get("a")
      const { sample: second } = await scrape(url)
      assert.strictEqual(second("mccache_lookups_total", { namespace: name }).value, "3")

      const head = await fetch(url, { method: "HEAD" })
      assert.deepStrictEqual([head.status, await head.text()], [200, ""])
      const posted = await fetch(url, { method: "POST" })
      assert.deepStrictEqual([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"])
      await mccache.close()
      await rejected(mccache.prometheus(), "Closed")
      const closed = await fetch(url)
      assert.strictEqual(closed.status, 503)
      assert.match(await closed.text(), /is closed/)
    } finally {
      server.close()
      server.closeAllConnections()
      await Promise.all([mccache.close(), other.close()])
    }
  })
})

describe("on Effect", () => {
  it.live("a route answers with every metric", () =>
    Effect.gen(function*() {
      const server = HttpRouter.serve(McCachePrometheus.layerHttp({ path: "/prometheus" }), { disableLogger: true })
        .pipe(
          Layer.provideMerge(McCache.layer(settings, { env: {} })),
          Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
        )
      const context = yield* Layer.build(server)
      const address = Context.get(context, HttpServer.HttpServer).address
      if (address._tag === "UnixPathAddress") return assert.fail("it listens nowhere")
      const cache = yield* Context.get(context, McCache).cache<number>("users")
      yield* cache.set("k", 1)
      const { sample } = yield* Effect.promise(() => scrape(`http://127.0.0.1:${address.port}/prometheus`))
      assert.strictEqual(sample("mccache_inserts_total", { namespace: "users" }).value, "1")
    }))
})
