/** A member's metrics in the text format of Prometheus. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** The media type of the text, and its version. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** The text. What writes it is loaded when it is first asked for: with it comes Effect's HTTP server, which few programs need. */
export const text = (registry: () => Metric.MetricRegistry): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => import("effect/observability/PrometheusMetrics")),
    ({ formatUnsafe }) => formatUnsafe(Context.make(Metric.MetricRegistry, registry()))
  )
