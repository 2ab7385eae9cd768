/**
 * Prometheus for Effect programs: a route on Effect's HTTP server. Without Effect, `prometheus()` and `prometheusHandler()` of
 * `mccache/standalone` give the same.
 *
 * @since 0.1.0
 */
export * as McCachePrometheus from "./runtime/McCachePrometheus.ts"
