/**
 * McCache's metrics as a route for Prometheus.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { contentType } from "../services/Prometheus.ts"
import { McCache } from "./McCache.ts"

/**
 * Adds `GET /metrics`, or another path, to the program's `HttpRouter`. It tells the metrics of McCache alone; to have those of
 * the whole program, McCache's among them, use `PrometheusMetrics.layerHttp` of `effect/observability` in its place.
 *
 * @example
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { McCache } from "mccache"
 * import { McCachePrometheus } from "mccache/prometheus"
 * import { createServer } from "node:http"
 *
 * const server = HttpRouter.serve(McCachePrometheus.layerHttp()).pipe(
 *   Layer.provide(McCache.layer({ cluster: "shop" })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 9100 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttp = (
  { path = "/metrics" }: { readonly path?: HttpRouter.PathInput | undefined } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | McCache> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const router = yield* HttpRouter.HttpRouter
    const mccache = yield* McCache
    yield* router.add(
      "GET",
      path,
      Effect.map(mccache.prometheus, (text) => HttpServerResponse.text(text, { contentType }))
    )
  }))
