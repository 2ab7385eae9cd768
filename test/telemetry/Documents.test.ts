/** What docs/telemetry.md and the dashboard say is so: every metric that they name exists, with the attributes that they use. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { withTable } from "../../scripts/metrics-table.ts"
import { definitions } from "../../src/services/MetricTable.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const document = read("docs/telemetry.md")

const Dashboard = Schema.Struct({
  templating: Schema.Struct({ list: Schema.Array(Schema.Struct({ query: Schema.Unknown })) }),
  panels: Schema.Array(Schema.Struct({
    id: Schema.Number,
    type: Schema.String,
    title: Schema.String,
    gridPos: Schema.Struct({ h: Schema.Number, w: Schema.Number, x: Schema.Number, y: Schema.Number }),
    targets: Schema.optional(Schema.Array(Schema.Struct({ expr: Schema.String, legendFormat: Schema.String })))
  }))
})
const dashboard = Schema.decodeUnknownSync(Dashboard)(JSON.parse(read("docs/grafana-dashboard.json")))
const panels = dashboard.panels.filter(({ type }) => type !== "row")
const targets = panels.flatMap((panel) => panel.targets ?? [])
const alerts = [...document.matchAll(/^ *expr: (.*)$/gm)].map(([, expr]) => expr)

/** The names that a metric has in Prometheus: a histogram has three. */
const series = new Map(
  definitions.flatMap((definition) =>
    (definition.kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map((suffix) =>
      [definition.name + suffix, definition] as const
    )
  )
)
const attributesAt = (name: string): ReadonlyArray<string> => [
  "cluster",
  "instance",
  ...name.endsWith("_bucket") ? ["le"] : [],
  ...series.get(name)?.attributes ?? []
]

/** What is wrong with a query of Prometheus. */
const problems = (query: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const uses = [...query.matchAll(/\bmccache_\w+/g)]
  if (uses.length === 0) found.push("names no metric")
  for (const use of uses) {
    const [name] = use
    const definition = series.get(name)
    if (definition === undefined) {
      found.push(`${name} is no metric`)
      continue
    }
    const after = query.slice(use.index + name.length)
    const selector = /^\{([^}]*)\}/.exec(after)?.[1] ?? ""
    for (const [, label] of selector.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)) {
      if (!attributesAt(name).includes(label)) found.push(`${name} has no ${label}`)
    }
    const before = query.slice(0, use.index)
    if ((definition.kind !== "gauge") !== /(rate|increase)\($/.test(before)) {
      found.push(`${name} is a ${definition.kind}, and ${/\w*\($/.exec(before)?.[0] ?? "nothing"} is around it`)
    }
    const [, labels] = /(?:sum|max|min|avg|count) by \(([^)]*)\) \((?:(?:rate|increase)\()?$/.exec(before) ?? []
    for (const label of labels?.split(", ") ?? []) {
      if (!attributesAt(name).includes(label)) found.push(`${name} cannot be told apart by ${label}`)
    }
  }
  return found
}

describe("the metrics", () => {
  it("are named as Prometheus and OpenTelemetry would have it", () => {
    assert.strictEqual(new Set(definitions.map(({ name }) => name)).size, definitions.length)
    for (const { attributes, description, kind, name, unit } of definitions) {
      assert.match(name, /^mccache_[a-z]+(_[a-z]+)*$/)
      assert.strictEqual(name.endsWith("_total"), kind === "counter", name)
      assert.strictEqual(/_seconds(_total)?$/.test(name), unit === "s", name)
      assert.strictEqual(/_bytes(_total)?$/.test(name), unit === "By", name)
      assert.match(unit, /^(s|By|1|\{[a-z]+\})$/, name)
      assert.match(description, /^[A-Z0-9].*[.;)]$/, name)
      for (const attribute of attributes) assert.match(attribute, /^[a-z]+$/, name)
    }
  })

  it("stand in the table of docs/telemetry.md, which scripts/metrics-table.ts writes", () => {
    assert.strictEqual(withTable(document), document)
  })
})

describe("the check of queries", () => {
  it("sees what is wrong with one", () => {
    assert.deepStrictEqual(problems("rate(mccache_lookups_total{namespace=\"n\"}[5m])"), [])
    assert.deepStrictEqual(problems("sum by (le) (rate(mccache_propagation_seconds_bucket[5m]))"), [])
    assert.deepStrictEqual(problems("up"), ["names no metric"])
    assert.deepStrictEqual(problems("mccache_nothing"), ["mccache_nothing is no metric"])
    assert.deepStrictEqual(problems("mccache_members{namespace=\"n\"}"), ["mccache_members has no namespace"])
    assert.lengthOf(problems("mccache_lookups_total"), 1)
    assert.lengthOf(problems("rate(mccache_members[5m])"), 1)
    assert.lengthOf(problems("sum by (reason) (mccache_members)"), 1)
  })
})

describe("docs/grafana-dashboard.json", () => {
  it("queries metrics that exist, by attributes that they have", () => {
    assert.isAtLeast(targets.length, panels.length)
    for (const { targets: some = [], title } of panels) assert.isAtLeast(some.length, 1, title)
    assert.deepStrictEqual(
      targets.map(({ expr }) => [expr, ...problems(expr)]).filter((found) => found.length > 1),
      []
    )
    const variables = dashboard.templating.list.flatMap(({ query }) =>
      typeof query === "object" && query !== null && "query" in query ? [String(query.query)] : []
    )
    assert.lengthOf(variables, 3)
    for (const variable of variables) {
      const [, name, label] = /^label_values\((mccache_\w+).*, (\w+)\)$/.exec(variable) ?? []
      assert.include(attributesAt(name), label, variable)
    }
  })

  it("names its lines by labels that the query leaves", () => {
    for (const { expr, legendFormat } of targets) {
      const [, labels] = /\bby \(([^)]*)\)/.exec(expr) ?? []
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const left = labels?.split(", ") ?? attributesAt(/mccache_\w+/.exec(expr)?.[0] ?? "")
        assert.include(left, label, expr)
      }
    }
  })

  it("has its panels side by side", () => {
    assert.strictEqual(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
    const taken = new Set<string>()
    for (const { gridPos: { h, w, x, y }, title } of dashboard.panels) {
      assert.isAtMost(x + w, 24, title)
      for (let row = y; row < y + h; row++) {
        for (let column = x; column < x + w; column++) {
          assert.isFalse(taken.has(`${row} ${column}`), title)
          taken.add(`${row} ${column}`)
        }
      }
    }
  })
})

describe("docs/telemetry.md", () => {
  it("has alerts on metrics that exist, by attributes that they have", () => {
    assert.isAtLeast(alerts.length, 8)
    assert.deepStrictEqual(alerts.map((expr) => [expr, ...problems(expr)]).filter((found) => found.length > 1), [])
  })

  it("names the spans that McCache makes", () => {
    const named = [...document.matchAll(/^\| `(McCache\.\w+)` \|/gm)].map(([, name]) => name).sort()
    const kinds = ["join", "repair"].map((kind) => `McCache.${kind}`)
    const source = ["src/services/Waits.ts", "src/services/Cache.ts"].map(read).join("\n")
    const made = new Set([...source.matchAll(/withSpan\([^"]*"(McCache\.\w+)"/g)].map(([, name]) => name))
    assert.deepStrictEqual(named, [...made, ...kinds].sort())
  })
})
