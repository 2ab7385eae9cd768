/** A collector of OpenTelemetry: takes OTLP over HTTP, as JSON, on loopback, and keeps it decoded. */
import * as Schema from "effect/Schema"
import { once } from "node:events"
import { createServer } from "node:http"
import { json } from "node:stream/consumers"

const Attribute = Schema.Struct({
  key: Schema.String,
  value: Schema.Struct({
    stringValue: Schema.optional(Schema.String),
    intValue: Schema.optional(Schema.Union([Schema.Number, Schema.String])),
    doubleValue: Schema.optional(Schema.Number),
    boolValue: Schema.optional(Schema.Boolean)
  })
})
const Attributes = Schema.optional(Schema.Array(Attribute))
const Resource = Schema.Struct({ attributes: Attributes })

const NumberPoint = Schema.Struct({
  attributes: Attributes,
  asDouble: Schema.optional(Schema.Number),
  asInt: Schema.optional(Schema.Union([Schema.Number, Schema.String]))
})
const HistogramPoint = Schema.Struct({
  attributes: Attributes,
  count: Schema.Union([Schema.Number, Schema.String]),
  sum: Schema.Number,
  bucketCounts: Schema.Array(Schema.Union([Schema.Number, Schema.String])),
  explicitBounds: Schema.Array(Schema.Number)
})
const MetricData = Schema.Struct({
  name: Schema.String,
  description: Schema.String,
  unit: Schema.String,
  sum: Schema.optional(Schema.Struct({
    aggregationTemporality: Schema.Number,
    isMonotonic: Schema.Boolean,
    dataPoints: Schema.Array(NumberPoint)
  })),
  gauge: Schema.optional(Schema.Struct({ dataPoints: Schema.Array(NumberPoint) })),
  histogram: Schema.optional(Schema.Struct({ dataPoints: Schema.Array(HistogramPoint) }))
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(MetricData) }))
  }))
})

const SpanData = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  name: Schema.String,
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Attributes,
  status: Schema.Struct({ code: Schema.optional(Schema.Number), message: Schema.optional(Schema.String) })
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(SpanData) }))
  }))
})

const LogData = Schema.Struct({
  severityText: Schema.String,
  body: Schema.Struct({ stringValue: Schema.optional(Schema.String) }),
  traceId: Schema.optional(Schema.String),
  spanId: Schema.optional(Schema.String)
})
const Logs = Schema.Struct({
  resourceLogs: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeLogs: Schema.Array(Schema.Struct({ logRecords: Schema.Array(LogData) }))
  }))
})

export type MetricData = typeof MetricData.Type
export type SpanData = typeof SpanData.Type
export type LogData = typeof LogData.Type

export interface Collector extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  /** The last of each metric that came, by name. */
  readonly metrics: Map<string, MetricData>
  readonly spans: Array<SpanData>
  readonly logs: Array<LogData>
  /** The service names of all that came. */
  readonly services: Set<string>
  /** What could not be decoded. */
  readonly problems: Array<string>
}

/** The attributes as text. */
export const attributesOf = (
  { attributes }: { readonly attributes?: ReadonlyArray<typeof Attribute.Type> | undefined }
): Record<string, string> =>
  Object.fromEntries(
    (attributes ?? []).map(({ key, value }) => [
      key,
      String(value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue)
    ])
  )

/** The value of the only series that has these attributes, and perhaps others. */
export const valueOf = (metric: MetricData | undefined, having: Record<string, string>): number => {
  const points = (metric?.sum ?? metric?.gauge)?.dataPoints ?? []
  const found = points.filter((point) => {
    const attributes = attributesOf(point)
    return Object.entries(having).every(([key, value]) => attributes[key] === value)
  })
  if (found.length !== 1) throw new Error(`${found.length} series of ${metric?.name} with ${JSON.stringify(having)}`)
  return Number(found[0].asDouble ?? found[0].asInt)
}

/** Listens until it is disposed of. */
export const start = async (): Promise<Collector> => {
  const metrics = new Map<string, MetricData>()
  const spans: Array<SpanData> = []
  const logs: Array<LogData> = []
  const services = new Set<string>()
  const problems: Array<string> = []
  const serviceOf = ({ resource }: { readonly resource: typeof Resource.Type }): void => {
    services.add(attributesOf(resource)["service.name"] ?? "")
  }
  const take = (path: string | undefined, body: unknown): void => {
    if (path === "/v1/metrics") {
      for (const of of Schema.decodeUnknownSync(Metrics)(body).resourceMetrics) {
        serviceOf(of)
        for (const { metrics: some } of of.scopeMetrics) for (const metric of some) metrics.set(metric.name, metric)
      }
    } else if (path === "/v1/traces") {
      for (const of of Schema.decodeUnknownSync(Traces)(body).resourceSpans) {
        serviceOf(of)
        for (const { spans: some } of of.scopeSpans) spans.push(...some)
      }
    } else if (path === "/v1/logs") {
      for (const of of Schema.decodeUnknownSync(Logs)(body).resourceLogs) {
        serviceOf(of)
        for (const { logRecords } of of.scopeLogs) logs.push(...logRecords)
      }
    } else problems.push(`POST ${path}`)
  }
  const server = createServer((request, response) => {
    json(request).then((body) => take(request.url, body)).catch((error) => problems.push(String(error))).finally(() => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end("{}")
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("The collector listens nowhere.")
  return {
    url: `http://127.0.0.1:${address.port}`,
    metrics,
    spans,
    logs,
    services,
    problems,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    }
  }
}
