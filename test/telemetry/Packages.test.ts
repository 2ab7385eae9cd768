/** Only `mccache/telemetry` needs the optional packages, and what serves HTTP is loaded when it is asked for. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const source = fileURLToPath(new URL("../../src/", import.meta.url))

/** All modules that are loaded with a file of src. */
const loadedWith = (file: string, found = new Set<string>()): ReadonlySet<string> => {
  if (found.has(file)) return found
  found.add(file)
  const code = readFileSync(join(source, file), "utf8").replaceAll(/\/\*.*?\*\//gs, "")
  const imports = code.matchAll(/^(?:import|export) (?!type\b)(?:[*{\w][^"]* from )?"([^"]+)"/gm)
  for (const [, specifier] of imports) {
    if (specifier.startsWith(".")) loadedWith(join(dirname(file), specifier), found)
    else found.add(specifier)
  }
  return found
}

const optional = /^@(effect\/opentelemetry|opentelemetry)\b/

describe("the entry points", () => {
  it("need no OpenTelemetry, but for mccache/telemetry", () => {
    for (const door of ["index.ts", "standalone.ts", "testing.ts", "prometheus.ts", "bin.ts"]) {
      const loaded = [...loadedWith(door)]
      assert.isAbove(loaded.length, 10, door)
      assert.deepStrictEqual(loaded.filter((name) => optional.test(name)), [], door)
    }
    assert.isTrue([...loadedWith("telemetry.ts")].some((name) => optional.test(name)))
  })

  it("load no HTTP server, but for mccache/prometheus", () => {
    const server = /^effect\/(http|observability)\b/
    for (const door of ["index.ts", "standalone.ts", "testing.ts", "telemetry.ts"]) {
      assert.deepStrictEqual([...loadedWith(door)].filter((name) => server.test(name)), [], door)
    }
    assert.isTrue([...loadedWith("prometheus.ts")].some((name) => server.test(name)))
  })

  it("name their optional packages in package.json", () => {
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(source, "../package.json"), "utf8"))
    const names = Object.keys(peerDependencies).filter((name) => optional.test(name))
    assert.deepStrictEqual(names.map((name) => peerDependenciesMeta[name]), names.map(() => ({ optional: true })))
    for (const loaded of loadedWith("telemetry.ts")) {
      if (optional.test(loaded)) assert.include(names, loaded.split("/").slice(0, 2).join("/"))
    }
    // The others are what @effect/opentelemetry itself asks for.
    const adapter = JSON.parse(
      readFileSync(join(source, "../node_modules/@effect/opentelemetry/package.json"), "utf8")
    )
    for (const name of names) {
      if (name in adapter.peerDependencies) {
        assert.strictEqual(peerDependencies[name], adapter.peerDependencies[name], name)
      }
    }
  })
})
