/**
 * McCache with OpenTelemetry. This entry point needs the optional packages `@effect/opentelemetry`, `@opentelemetry/api`,
 * `api-logs`, `resources`, `sdk-logs`, `sdk-metrics`, `sdk-trace-base`, `sdk-trace-node` and `semantic-conventions`; the others
 * do not.
 *
 * @since 0.1.0
 */
export * as McCacheTelemetry from "./runtime/McCacheTelemetry.ts"
