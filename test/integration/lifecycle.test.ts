/** How a process with McCache starts, ends, and fails to start. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { group } from "./support/Children.ts"

const standalone = new URL("../../src/standalone.ts", import.meta.url).href

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly millis: number
}

/** Runs a program that has `open` and these options; kills it when it does not end by itself. */
const run = async (
  program: string,
  options: object = group(),
  environment: NodeJS.ProcessEnv = {},
  killAfterMillis = 10_000
): Promise<Ended> => {
  const source = `import { open, McCacheError } from ${JSON.stringify(standalone)}
const options = ${JSON.stringify(options)}
${program}`
  const startedAt = Date.now()
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let out = ""
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => out += String(chunk))
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMillis)
  await once(child, "close")
  clearTimeout(timer)
  return { code: child.exitCode, out, millis: Date.now() - startedAt }
}

describe("a process that opened McCache and has nothing else to do", () => {
  it("ends after close, at once and with nothing left open", async () => {
    const { code, out } = await run(`
const mccache = await open(options)
mccache.cache("n").set("x", 1)
const closedAt = Date.now()
await mccache.close()
await new Promise((resolve) => setImmediate(resolve))
await new Promise((resolve) => setImmediate(resolve))
const left = process.getActiveResourcesInfo().filter((each) => !/Pipe|TTY|Immediate/.test(each))
process.on("exit", () => console.log(JSON.stringify({ left, millis: Date.now() - closedAt })))`)
    assert.strictEqual(code, 0, out)
    const { left, millis } = JSON.parse(out)
    assert.deepStrictEqual(left, [])
    assert.isBelow(millis, 2_500)
  })

  it("goes on as long as it is not closed", async () => {
    const { code, millis } = await run("await open(options)", group(), {}, 3_000)
    assert.isNull(code, "it was killed")
    assert.isAtLeast(millis, 3_000)
  })

  it("ends by itself with unref", async () => {
    const { code, out } = await run(`
const mccache = await open({ ...options, unref: true })
mccache.cache("n").set("x", 1)`)
    assert.strictEqual(code, 0, out)
  })

  it("with unref goes on as long as it awaits McCache, and then ends by itself", async () => {
    // At the top level Node tells of an await that never ends; in a function it ends in silence.
    const { code, out } = await run(`
const main = async () => {
  const mccache = await open({ ...options, unref: true })
  await mccache.ready()
  console.log("ready")
}
void main()`)
    assert.strictEqual(out, "ready\n")
    assert.strictEqual(code, 0)
  })
})

describe("a closed McCache", () => {
  it("says so, whatever is asked of it", async () => {
    const { code, out } = await run(`
const mccache = await open(options)
const cache = mccache.cache("n")
await mccache.close()
await mccache.close()
const uses = {
  get: () => cache.get("x"), set: () => cache.set("x", 1), has: () => cache.has("x"), delete: () => cache.delete("x"),
  clear: () => cache.clear(), cache: () => mccache.cache("other"), members: () => mccache.members(),
  flush: () => mccache.flush(), ready: () => mccache.ready(), clusterMetrics: () => mccache.clusterMetrics(),
  getOrSet: () => cache.getOrSet("x", () => 1), ack: () => cache.set("x", 1, { ack: "all" })
}
for (const [name, use] of Object.entries(uses)) {
  const error = await Promise.resolve().then(use).then(() => undefined, (thrown) => thrown)
  if (!(error instanceof McCacheError) || error.reason._tag !== "Closed") console.log(name, error)
}`)
    assert.strictEqual(code, 0)
    assert.strictEqual(out, "")
  })
})

describe("a start that cannot be", () => {
  const failing = async (options: object, environment: NodeJS.ProcessEnv = {}) => {
    const { code, out } = await run(
      `
try {
  const mccache = await open(options)
  await mccache.close()
  console.log("OPENED")
} catch (error) {
  console.log("FAILED", error instanceof McCacheError, error.reason?._tag, error.message)
}`,
      options,
      environment
    )
    assert.strictEqual(code, 0, out)
    return out
  }

  for (
    const [what, options, environment, expected] of [
      [
        "an address that is not multicast",
        { multicastIp: "192.168.1.1:4000" },
        {},
        /InvalidConfig.*192\.168\.1\.1.*224\.0\.0\.0/
      ],
      ["a port of 70000", { multicastIp: "224.0.0.3:70000" }, {}, /InvalidConfig.*70000.*65,535/],
      ["a malformed key", { cryptoKey: "secret" }, {}, /InvalidConfig.*base64.*32/],
      ["a missing interface", { interface: "nowhere9" }, {}, /InvalidConfig.*nowhere9/],
      [
        "a mode that is none, from the environment",
        {},
        { MCCACHE_CACHE_MODE: "5" },
        /InvalidConfig.*MCCACHE_CACHE_MODE.*5/
      ],
      ["a negative ttl", { cacheTtl: -1 }, {}, /InvalidConfig.*-1/]
    ] as const
  ) {
    it(`${what} is refused, with what is accepted`, async () => {
      const out = await failing(options, environment)
      assert.match(out, /^FAILED true /m)
      assert.match(out, expected)
      // A key must never stand in a log.
      assert.notInclude(out, "secret")
    })
  }

  it("a port that another program holds is refused, naming it", async () => {
    const options = group()
    const [, port] = String(options.multicastIp).split(":")
    const socket = createSocket({ type: "udp4", reuseAddr: false })
    socket.bind({ port: Number(port), exclusive: true })
    await once(socket, "listening")
    try {
      const out = await failing(options)
      assert.match(out, /^FAILED true NetworkFailed/m)
      // The group, and so the port, stands in every such message; what to do only in the one of this cause.
      assert.match(out, new RegExp(`port ${port} is held by a program.*Stop that program.*MCCACHE_MULTICAST_IP`))
    } finally {
      socket.close()
    }
  })

  it("sockets that may hold less than was asked for are a warning that names the setting of the system", async () => {
    const out = await failing({ ...group(), protocol: { receiveBufferBytes: 2 ** 30 } })
    assert.include(out, "OPENED")
    assert.match(out, /of 1073741824 bytes.*net\.core\.rmem_max/s)
  })

  it("an unknown variable or option is a warning that names the nearest known one", async () => {
    const out = await failing({ ...group(), cacheTLT: 60 }, { MCCACHE_CACHE_MAXX: "60" })
    assert.include(out, "OPENED")
    assert.match(out, /MCCACHE_CACHE_MAXX.*MCCACHE_CACHE_MAX/s)
    assert.match(out, /cacheTLT.*cacheTtl/s)
  })
})
