/** Every row of the table of settings, from every source and under every name that it ever had. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Options } from "../../src/domain/Configuration.ts"
import { settings } from "../../src/domain/SettingTable.ts"
import * as Settings from "../../src/runtime/Settings.ts"
import { samples } from "./support/SettingSamples.ts"

/** Options whose names are computed. */
const untyped = (options: object): Options => options

const load = (sources: {
  readonly options?: object
  readonly env?: { readonly [variable: string]: string }
  readonly field?: object
}) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const root = fs.mkdtempSync(path.join(os.tmpdir(), "mccache-sources-"))
      fs.writeFileSync(path.join(root, "package.json"), JSON.stringify({ mccache: sources.field ?? {} }))
      return root
    }),
    (root) => Settings.load(untyped(sources.options ?? {}), { env: sources.env ?? {}, cwd: root }),
    (root) => Effect.sync(() => fs.rmSync(root, { recursive: true }))
  )

const plain = (value: unknown): unknown => Redacted.isRedacted(value) ? Redacted.value(value) : value

describe("each setting", () => {
  it("has a sample", () => {
    assert.deepStrictEqual(Object.keys(samples), settings.map(({ option }) => option))
  })

  for (const { defaultText, field, formerly, option, variable } of settings) {
    const { decoded, json, text } = samples[option]

    it.effect(`${option} is read from options, ${variable} and package.json, in this order`, () =>
      Effect.gen(function*() {
        const initially = yield* load({})
        assert.strictEqual(initially.origins[option], "default")
        if (option !== "cacheEviction") {
          assert.notDeepEqual(plain(initially.configuration[field]), plain(decoded), "the sample is the default")
        }
        const sources = [
          ["option", { options: { [option]: json }, env: { [variable]: "?" }, field: { [option]: "?" } }],
          ["environment", { env: { [variable]: text }, field: { [option]: "?" } }],
          ["package.json", { field: { [option]: json } }]
        ] as const
        for (const [origin, source] of sources) {
          const { configuration, origins } = yield* load(source)
          assert.deepStrictEqual(plain(configuration[field]), plain(decoded), origin)
          assert.strictEqual(origins[option], origin)
        }
      }))

    for (const former of formerly) {
      it.effect(`${variable} is still read from ${former}, with a warning that names the new one`, () =>
        Effect.gen(function*() {
          const { configuration, origins, warnings } = yield* load({ env: { [former]: text } })
          assert.deepStrictEqual(plain(configuration[field]), plain(decoded))
          assert.strictEqual(origins[option], "environment")
          assert.deepStrictEqual(warnings, [`${former} is an old name; use ${variable} (default ${defaultText}).`])
        }))

      it.effect(`${variable} wins over ${former}, which is said to be ignored`, () =>
        Effect.gen(function*() {
          const { configuration, warnings } = yield* load({ env: { [variable]: text, [former]: "?" } })
          assert.deepStrictEqual(plain(configuration[field]), plain(decoded))
          assert.deepStrictEqual(warnings, [
            `${former} is ignored: it is an old name of ${variable}, and ${variable} is set.`
          ])
        }))
    }
  }

  it("of McCache has its older names", () => {
    assert.deepStrictEqual(
      settings.flatMap(({ formerly, variable }) => formerly.map((former) => `${former} → ${variable}`)),
      [
        "MCCACHE_TTL → MCCACHE_CACHE_TTL",
        "MCCACHE_SYNC_PULSE → MCCACHE_CACHE_PULSE",
        "MCCACHE_MTU → MCCACHE_PACKET_MTU",
        "MCCACHE_DEBUG_LOGFILE → MCCACHE_LOG_FILENAME",
        "TEST_MAX_ENTRIES → TEST_KEY_ENTRIES",
        "TEST_TEST_APERTURE → TEST_APERTURE"
      ]
    )
  })
})
