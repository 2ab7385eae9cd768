/**
 * Completes `package-lock.json` with the optional packages of other platforms, which npm leaves out when the registry at
 * hand does not carry them, and for which `npm ci` then refuses the whole file. Run it after every `npm install`.
 */
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))
const systems = ["darwin", "win32", "linux", "android", "freebsd", "openbsd", "netbsd", "sunos", "aix", "openharmony"]
const processors = ["arm64", "x64", "ia32", "arm", "ppc64", "riscv64", "s390x", "loong64", "mips64el", "wasm32"]

/** What a platform's package says of itself, read from its name. */
const platform = (name) => {
  const words = name.split("/").at(-1).split(/[-.]/)
  const has = (word) => words.some((part) => part === word || (word === "arm" && part.startsWith("arm") && part !== "arm64"))
  const os = systems.filter(has)
  const cpu = processors.filter(has)
  const libc = words.some((word) => word.includes("musl")) ? ["musl"] : words.some((word) => /gnu|glibc/.test(word)) ? ["glibc"] : []
  return { ...(cpu.length > 0 ? { cpu } : {}), ...(libc.length > 0 ? { libc } : {}), os: os.length > 0 ? os : ["none"] }
}

let added = 0
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${path}/node_modules/${name}`
    const hoisted = `node_modules/${name}`
    if (lock.packages[nested] !== undefined || lock.packages[hoisted] !== undefined) continue
    lock.packages[hoisted] = {
      version: range.replace(/^[\^~>=\s]*/, ""),
      ...platform(name),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true
    }
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
for (const entry of Object.values(lock.packages)) delete entry.resolved
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} packages of other platforms added`)
