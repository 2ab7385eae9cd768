/**
 * Writes `docs/mccache.schema.json`: a JSON Schema of a `package.json` with an `"mccache"` field, for editors and checks. It
 * is made of the tables of settings and protocol limits, so that it says what the program reads.
 *
 * node scripts/schema.ts [--check]
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as Protocol from "../src/domain/Protocol.ts"
import { type Setting, settings } from "../src/domain/SettingTable.ts"

/** Where the schema stands. */
export const file = new URL("../docs/mccache.schema.json", import.meta.url)

/** The default as it would be written in JSON. */
const initial = ({ default: text }: Setting): { readonly default?: string | number } =>
  text === undefined ? {} : { default: /^\d+(\.\d+)?$/.test(text) ? Number(text) : text }

const property = (setting: Setting) => ({
  description: `${setting.description} Default: ${setting.defaultText}. In the environment: ${setting.variable}.`,
  ...setting.json,
  ...initial(setting)
})

const limit = ({ default: initially, description, maximum, minimum }: Protocol.Limit) => ({
  description,
  type: "integer",
  minimum,
  maximum,
  default: initially
})

const mapped = <A, B>(
  record: { readonly [name: string]: A },
  change: (value: A) => B
): { readonly [name: string]: B } =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))

/** The schema. */
export const schema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "package.json with the configuration of McCache",
  type: "object",
  properties: { mccache: { $ref: "#/definitions/mccache" } },
  definitions: {
    mccache: {
      description: "The configuration of McCache. Options in code win over the environment, which wins over this.",
      type: "object",
      additionalProperties: false,
      properties: {
        ...Object.fromEntries(settings.map((setting) => [setting.option, property(setting)])),
        protocol: {
          description: "Timings and bounds of the protocol. Equal ones at all members are easiest to reason about.",
          type: "object",
          additionalProperties: false,
          properties: mapped<Protocol.Limit, unknown>(Protocol.limits, limit)
        }
      }
    }
  }
}

/** The schema as text, as it is committed. */
export const text = `${JSON.stringify(schema, undefined, 2)}\n`

if (import.meta.main) {
  const current = ((): string | undefined => {
    try {
      return readFileSync(file, "utf8")
    } catch {
      return undefined
    }
  })()
  if (!process.argv.includes("--check")) writeFileSync(file, text)
  else if (current !== text) {
    console.error("docs/mccache.schema.json is not what the settings say: run node scripts/schema.ts")
    process.exitCode = 1
  }
}
