/** `mccache doctor` on loopback, beside members that it should find and strangers that it should tell apart. */
import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import type { Finding } from "../../src/runtime/cli/DoctorFacts.ts"
import { group, withChildren } from "./support/Children.ts"
import { environment, mccache } from "./support/Spawned.ts"

interface Diagnosis {
  readonly code: unknown
  readonly problems: number
  readonly findings: ReadonlyArray<Finding>
}

const diagnose = async (env: NodeJS.ProcessEnv, ...args: ReadonlyArray<string>): Promise<Diagnosis> => {
  const { code, err, out } = await mccache(["doctor", "--json", ...args], env)
  const found: Diagnosis = { code, ...JSON.parse(out) }
  const { problems } = found
  assert.strictEqual(err, problems === 0 ? "" : `mccache: found ${problems} problem${problems === 1 ? "" : "s"}\n`)
  return found
}

const of = ({ findings }: Diagnosis, check: string): ReadonlyArray<Finding> =>
  findings.filter((finding) => finding.check === check)

const key = randomBytes(32).toString("base64url")

describe("mccache doctor", () => {
  it("finds the members, hears itself, and ends with 0", () =>
    withChildren(async (start) => {
      const options = { ...group(), cryptoKey: key }
      await Promise.all([start(options), start(options)])
      const diagnosis = await diagnose(environment(options, { MCCACHE_CRYPTO_KEY: key }))
      assert.deepStrictEqual([diagnosis.code, diagnosis.problems], [0, 0], JSON.stringify(diagnosis.findings))
      for (const check of ["settings", "key", "group", "own echo", "members", "clock"]) {
        assert.deepStrictEqual(of(diagnosis, check).map(({ status }) => status), ["ok"], check)
      }
      assert.match(of(diagnosis, "members")[0].measured, /^2 other/)
      assert.lengthOf(of(diagnosis, "strangers"), 0)
      // It has a key, and stays on loopback all the same.
      assert.strictEqual(of(diagnosis, "interface")[0].status, "warning")
    }))

  it("tells members of another key, of none, of another cluster, and other programs, when nobody else is there", () =>
    withChildren(async (start) => {
      const options = group()
      const other = randomBytes(32).toString("base64url")
      await Promise.all([
        start({ ...options, cryptoKey: other }),
        start({ ...options, cryptoKey: key, cluster: "another" }),
        start(options)
      ])
      const port = Number(options.multicastIp?.split(":")[1])
      const socket = createSocket("udp4")
      await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
      socket.setMulticastInterface("127.0.0.1")
      const noise = setInterval(() => socket.send("noise", port, "224.0.0.3"), 200)
      try {
        const diagnosis = await diagnose(environment(options, { MCCACHE_CRYPTO_KEY: key }))
        assert.strictEqual(diagnosis.code, 1)
        const strangers = of(diagnosis, "strangers")
        assert.deepStrictEqual(strangers.map(({ status }) => status), ["problem", "problem"])
        assert.match(strangers[0].measured, /have no key/)
        assert.match(strangers[1].measured, /another key, or are of another cluster: [^,]+, [^,]+\.$/)
        assert.strictEqual(of(diagnosis, "other traffic")[0].status, "warning")
        assert.include(of(diagnosis, "other traffic")[0].measured, `127.0.0.1:${socket.address().port}`)
        assert.strictEqual(of(diagnosis, "members")[0].status, "warning")
      } finally {
        clearInterval(noise)
        socket.close()
      }
    }))

  it("says for people what is wrong with settings and interfaces, and ends with 1", async () => {
    const [setting, place] = await Promise.all([
      mccache(["doctor"], environment({}, { MCCACHE_CACHE_MODE: "7" })),
      mccache(["doctor", "--interface", "nope"], environment())
    ])
    assert.strictEqual(setting.code, 1)
    assert.match(setting.out, /^problem +settings +MCCACHE_CACHE_MODE is "7"/)
    assert.match(setting.out, /1 problem, 0 warnings\n$/)
    assert.strictEqual(place.code, 1)
    assert.match(place.out, /^problem +interface +MCCACHE_INTERFACE is "nope"/m)
  })
})
