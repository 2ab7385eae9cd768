/**
 * OpenTelemetry for McCache, through `@effect/opentelemetry`: metrics, traces and logs, by the exporters of the program.
 *
 * McCache registers its metrics with Effect, makes spans by Effect's tracer and logs by Effect's logger, all of the context that
 * it is opened in. These layers connect such a context to OpenTelemetry. So would any other exporter of Effect's, such as `Otlp`
 * of `effect/observability`, which needs none of these packages.
 *
 * @since 0.1.0
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import * as OtelMetrics from "@effect/opentelemetry/OtelMetrics"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Resource from "@effect/opentelemetry/Resource"
import type { MetricProducer } from "@opentelemetry/sdk-metrics"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

/**
 * What to export and how: any of `metricReader`, `spanProcessor` and `logRecordProcessor`, and of the `resource` what the
 * environment (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) does not say.
 *
 * @since 0.1.0
 * @category models
 */
export type Configuration = NodeSdk.Configuration

/**
 * An SDK of OpenTelemetry of its own, for as long as the layer lives; when it ends, what is left is exported. Provide it to
 * `McCache.layer`, or give it to `open` of `mccache/standalone` as `telemetry`. `evaluate` is called once for each.
 *
 * Without a service name here or in the environment it is `mccache`.
 *
 * @example
 * ```ts
 * import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
 * import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
 * import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
 * import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
 * import { Layer } from "effect"
 * import { McCache } from "mccache"
 * import { McCacheTelemetry } from "mccache/telemetry"
 *
 * const telemetry = McCacheTelemetry.layer(() => ({
 *   resource: { serviceName: "shop" },
 *   metricReader: new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() }),
 *   spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter())
 * }))
 *
 * const live = McCache.layer({ cluster: "shop" }).pipe(Layer.provideMerge(telemetry))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (evaluate: () => Configuration): Layer.Layer<Resource.Resource> =>
  NodeSdk.layer(
    Effect.gen(function*() {
      const configuration = evaluate()
      if (configuration.resource !== undefined) return configuration
      const named = yield* Config.option(Config.String("OTEL_SERVICE_NAME"))
      const attributes = yield* Config.option(Config.String("OTEL_RESOURCE_ATTRIBUTES"))
      const inAttributes = attributes._tag === "Some" && attributes.value.includes("service.name=")
      return named._tag === "Some" || inAttributes
        ? configuration
        : { ...configuration, resource: { serviceName: "mccache" } }
    }).pipe(Effect.orDie)
  )

/**
 * Spans by the tracer provider that the program has registered globally with `@opentelemetry/api`, as its `NodeSDK` does.
 * For its metrics see `metricProducer`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerGlobal: Layer.Layer<OtelTracer.OtelTracer> = OtelTracer.layerGlobal

/**
 * Metrics for a program that has an SDK of its own: a producer for the option `metricProducers` of its metric reader. It tells
 * all metrics of Effect's registry of this process, McCache's among them, or those of the registry given.
 *
 * @example
 * ```ts
 * import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
 * import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
 * import { McCacheTelemetry } from "mccache/telemetry"
 *
 * const reader = new PeriodicExportingMetricReader({
 *   exporter: new OTLPMetricExporter(),
 *   metricProducers: [McCacheTelemetry.metricProducer()]
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const metricProducer = (
  { registry, temporality }: {
    readonly registry?: Metric.MetricRegistry | undefined
    /** Default `cumulative`: since the start. `delta`: since the last time. */
    readonly temporality?: OtelMetrics.TemporalityPreference | undefined
  } = {}
): MetricProducer =>
  // A reader takes the resource from its own SDK.
  Effect.runSyncWith(registry === undefined ? Context.empty() : Context.make(Metric.MetricRegistry, registry))(
    Effect.provide(OtelMetrics.makeProducer(temporality), Resource.layerEmpty)
  )
