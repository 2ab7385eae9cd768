/** What McCache tells a collector of OpenTelemetry, over HTTP, as a program's own exporters send it. */
import * as Resource from "@effect/opentelemetry/Resource"
import { assert, describe, it } from "@effect/vitest"
import { context, trace } from "@opentelemetry/api"
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Otlp } from "effect/observability"
import { McCache } from "../../src/index.ts"
import { definitions } from "../../src/services/MetricTable.ts"
import { open } from "../../src/standalone.ts"
import { McCacheTelemetry } from "../../src/telemetry.ts"
import { settings, start, until } from "../runtime/support/Loopback.ts"
import * as Collector from "./support/Collector.ts"

/** All three signals, to the collector. A registry of its own keeps the members of other tests out. */
const telemetry = ({ url }: Collector.Collector) =>
  McCacheTelemetry.layer(() => ({
    metricReader: new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }),
      exportIntervalMillis: 50,
      exportTimeoutMillis: 50
    }),
    spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` })),
    logRecordProcessor: new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs` }) })
  })).pipe(Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map())))

const named = (collector: Collector.Collector, name: string): ReadonlyArray<Collector.SpanData> =>
  collector.spans.filter((span) => span.name === name)

/** The only span of a name. */
const span = (collector: Collector.Collector, name: string): Collector.SpanData => {
  const found = named(collector, name)
  assert.lengthOf(found, 1, `${name} of ${collector.spans.map((one) => one.name)}`)
  return found[0]
}

describe("a program without Effect", () => {
  it("exports every metric, with its unit and the values of localMetrics", async () => {
    await using collector = await Collector.start()
    await using other = await start()
    const mccache = await open({ ...settings, telemetry: telemetry(collector) }, { env: {} })
    const cache = mccache.cache<number>("users")
    const theirs = other.cache<number>("users")
    await Promise.all([mccache.ready(), other.ready()])
    for (let key = 0; key < 5; key++) cache.set(`k${key}`, key)
    for (let key = 0; key < 3; key++) cache.get(`k${key}`)
    cache.get("absent")
    cache.delete("k0")
    await mccache.flush()
    theirs.set("theirs", 1)
    await until(() => cache.has("theirs"), "a write of the other member")
    const { namespaces: { users } } = mccache.localMetrics()
    // The exporter sends once more when it ends, after the member.
    await mccache.close()
    assert.deepStrictEqual(collector.problems, [])

    const { metrics } = collector
    assert.deepStrictEqual(
      definitions.filter(({ name, unit }) => metrics.get(name)?.unit !== unit).map(({ name }) => name),
      []
    )
    assert.deepStrictEqual([...metrics.keys()].sort(), definitions.map(({ name }) => name).sort())
    for (const { description, kind, name } of definitions) {
      const metric = metrics.get(name)
      assert.strictEqual(metric?.description, description)
      assert.strictEqual(metric?.sum?.isMonotonic, kind === "counter" ? true : undefined, name)
      assert.strictEqual(metric?.gauge !== undefined, kind === "gauge", name)
      assert.strictEqual(metric?.histogram !== undefined, kind === "histogram", name)
    }

    const ofUsers = { namespace: "users", cluster: settings.cluster ?? "" }
    const value = (name: string, having: Record<string, string> = {}): number =>
      Collector.valueOf(metrics.get(name), having)
    assert.strictEqual(value("mccache_lookups_total", ofUsers), 4)
    assert.strictEqual(value("mccache_misses_total", ofUsers), 1)
    assert.strictEqual(value("mccache_deletes_total", ofUsers), 1)
    assert.strictEqual(value("mccache_inserts_total", ofUsers), users.inserts)
    assert.strictEqual(users.inserts, 6)
    // The deleted one may have gone before it was sent.
    assert.isAtLeast(value("mccache_operations_total", { operation: "PUT", direction: "out" }), 4)
    assert.isAtLeast(value("mccache_operations_total", { operation: "PUT", direction: "in" }), 1)
    assert.isAtLeast(value("mccache_datagrams_total", { direction: "out" }), 1)
    assert.strictEqual(value("mccache_refused_total", { reason: "malformed" }), 0)

    const [propagation, ...rest] = metrics.get("mccache_propagation_seconds")?.histogram?.dataPoints ?? []
    assert.lengthOf(rest, 0)
    assert.isAtLeast(Number(propagation.count), 1)
    assert.strictEqual(
      propagation.bucketCounts.reduce((sum: number, count) => sum + Number(count), 0),
      Number(propagation.count)
    )
    assert.isAtLeast(propagation.sum, 0)
    assert.isBelow(propagation.sum, 10)
  })

  it("exports spans of what waits, and the log", async () => {
    await using collector = await Collector.start()
    await using other = await start({ cachePulse: 1 })
    other.cache("users").set("before", 1)
    await other.ready()
    const mccache = await open(
      { ...settings, cachePulse: 1, telemetry: telemetry(collector) },
      { env: { MCCACHE_CACHE_TLL: "1" } }
    )
    const cache = mccache.cache<number>("users")
    await mccache.ready()
    await mccache.flush()
    await cache.set("k", 1, { ack: 1 })
    assert.strictEqual(await cache.getOrSet("computed", async () => 2), 2)
    assert.strictEqual(await cache.getOrSet("computed", () => assert.fail("it is there")), 2)
    const failure = new Error("no")
    assert.strictEqual(await cache.getOrSet("failing", () => Promise.reject(failure)).catch((error) => error), failure)
    // The second begins when the first has ended.
    await until(() => mccache.localMetrics().coherence.repairRounds > 1, "two full checks")
    await mccache.close()
    assert.deepStrictEqual(collector.problems, [])
    assert.deepStrictEqual([...collector.services], ["mccache"])

    span(collector, "McCache.ready")
    span(collector, "McCache.flush")
    span(collector, "McCache.acknowledged")
    // A hit has none.
    const fills = named(collector, "McCache.getOrSet")
    assert.deepStrictEqual(fills.map(({ status }) => [status.code, status.message]), [[1, undefined], [2, "no"]])
    assert.strictEqual(Collector.attributesOf(fills[0])["mccache.namespace"], "users")
    const join = Collector.attributesOf(span(collector, "McCache.join"))
    assert.deepStrictEqual(join, {
      "mccache.namespace": "users",
      "mccache.donor": other.id,
      "mccache.ending": "done",
      "mccache.records": "1"
    })
    const [repair] = named(collector, "McCache.repair")
    assert.strictEqual(Collector.attributesOf(repair)["mccache.donor"], other.id)
    for (const { endTimeUnixNano, startTimeUnixNano } of collector.spans) {
      assert.isTrue(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano))
    }
    assert.deepStrictEqual(
      collector.logs.filter(({ body }) => body.stringValue?.includes("MCCACHE_CACHE_TLL")).map((log) =>
        log.severityText
      ),
      ["Warn"]
    )
  })

  it("joins the traces of an OpenTelemetry that it did not start", async () => {
    await using collector = await Collector.start()
    const provider = new NodeTracerProvider({
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${collector.url}/v1/traces` }))]
    })
    provider.register()
    try {
      const tracer = trace.getTracer("program")
      const mccache = await open({ ...settings, telemetry: McCacheTelemetry.layerGlobal }, { env: {} })
      const cache = mccache.cache<string>("users")
      await tracer.startActiveSpan("request", async (request) => {
        await cache.getOrSet("k", async () => {
          const load = tracer.startSpan("load")
          load.end()
          return "v"
        })
        request.end()
      })
      await mccache.close()
    } finally {
      await provider.forceFlush()
      await provider.shutdown()
      trace.disable()
      context.disable()
    }
    const request = span(collector, "request")
    const fill = span(collector, "McCache.getOrSet")
    const load = span(collector, "load")
    assert.strictEqual(fill.parentSpanId, request.spanId)
    assert.strictEqual(load.parentSpanId, fill.spanId)
    assert.deepStrictEqual([fill.traceId, load.traceId], [request.traceId, request.traceId])
  })
})

describe("the layer", () => {
  const serviceName = (environment: Record<string, string>, given?: string) =>
    Layer.build(McCacheTelemetry.layer(() => given === undefined ? {} : { resource: { serviceName: given } })).pipe(
      Effect.map((context) => Context.get(context, Resource.Resource).attributes["service.name"]),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(environment))
    )

  it.effect("names the service as the program says, else the environment, else mccache", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* serviceName({}), "mccache")
      assert.strictEqual(yield* serviceName({ OTEL_SERVICE_NAME: "shop" }), "shop")
      assert.strictEqual(yield* serviceName({ OTEL_RESOURCE_ATTRIBUTES: "service.name=shop,a=b" }), "shop")
      assert.strictEqual(yield* serviceName({ OTEL_SERVICE_NAME: "shop" }, "given"), "given")
    }))
})

describe("the producer for a reader of the program's own", () => {
  it("has every metric", async () => {
    const registry: Metric.MetricRegistry = new Map()
    const mccache = await open(
      { ...settings, telemetry: Layer.succeed(Metric.MetricRegistry, registry) },
      { env: {} }
    )
    mccache.cache("users")
    const { errors, resourceMetrics } = await McCacheTelemetry.metricProducer({ registry }).collect()
    await mccache.close()
    assert.deepStrictEqual(errors, [])
    assert.deepStrictEqual(
      resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics.map(({ descriptor }) => descriptor.name)).sort(),
      definitions.map(({ name }) => name).sort()
    )
  })
})

describe("a program on Effect", () => {
  /** A request that computes, and logs within. */
  const program = Effect.fnUntraced(function*(collector: Collector.Collector) {
    const mccache = yield* McCache
    const users = yield* mccache.cache<string>("users")
    yield* Effect.gen(function*() {
      yield* users.getOrSet("k", Effect.as(Effect.log("loading"), "v").pipe(Effect.withSpan("load")))
      yield* mccache.flush()
    }).pipe(Effect.withSpan("request"))
    // Gauges end with the member.
    const exported = () => collector.metrics.has("mccache_process_resident_bytes")
    yield* Effect.promise(() => until(exported, "a gauge at the collector"))
  })

  const check = (collector: Collector.Collector): void => {
    assert.deepStrictEqual(collector.problems, [])
    const request = span(collector, "request")
    const fill = span(collector, "McCache.getOrSet")
    const load = span(collector, "load")
    assert.strictEqual(fill.parentSpanId, request.spanId)
    assert.strictEqual(load.parentSpanId, fill.spanId)
    assert.strictEqual(span(collector, "McCache.flush").parentSpanId, request.spanId)
    const [log] = collector.logs.filter(({ body }) => body.stringValue === "loading")
    assert.deepStrictEqual([log.traceId, log.spanId], [load.traceId, load.spanId])
    assert.strictEqual(Collector.valueOf(collector.metrics.get("mccache_inserts_total"), { namespace: "users" }), 1)
    assert.strictEqual(collector.metrics.get("mccache_process_resident_bytes")?.unit, "By")
  }

  it("has McCache's spans within its own", async () => {
    await using collector = await Collector.start()
    await Effect.runPromise(
      program(collector).pipe(
        Effect.provide(McCache.layer(settings, { env: {} }).pipe(Layer.provideMerge(telemetry(collector))))
      )
    )
    check(collector)
  })

  it("may use the exporters of Effect in their place", async () => {
    await using collector = await Collector.start()
    const otlp = Otlp.layerJson({
      baseUrl: collector.url,
      resource: { serviceName: "shop" },
      metricsExportInterval: "50 millis"
    }).pipe(
      Layer.provide(FetchHttpClient.layer),
      Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))
    )
    await Effect.runPromise(
      program(collector).pipe(
        Effect.provide(McCache.layer(settings, { env: {} }).pipe(Layer.provideMerge(otlp)))
      )
    )
    check(collector)
    assert.deepStrictEqual([...collector.services], ["shop"])
  })
})
