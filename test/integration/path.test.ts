/** `mccache mtu` and `mccache hops`, with a `ping` that answers as that of Linux does on a way known beforehand. */
import { assert, describe, it } from "@effect/vitest"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { environment, mccache } from "./support/Spawned.ts"

/** Packets of 1,400 bytes pass, and there are two routers; 192.0.2.66 answers nothing. */
const ping = `#!/bin/sh
while [ $# -gt 1 ]; do
  case $1 in -s) size=$2; shift;; -t) limit=$2; shift;; esac
  shift
done
[ "$1" = 192.0.2.66 ] && exit 1
if [ "\${limit:-9}" -lt 3 ]; then echo "From 10.0.0.1 icmp_seq=1 Time to live exceeded"; exit 1; fi
if [ "$size" -gt 1372 ]; then echo "From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)"; exit 1; fi
echo "$((size + 8)) bytes from $1: icmp_seq=1 ttl=64 time=0.3 ms"
`

const withPing = async (text: string | undefined, test: (env: NodeJS.ProcessEnv) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "mccache-ping-"))
  try {
    if (text !== undefined) {
      writeFileSync(join(folder, "ping"), text)
      chmodSync(join(folder, "ping"), 0o755)
    }
    await test(environment({}, { PATH: folder }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe.runIf(process.platform === "linux")("the way to a host", () => {
  it("is measured to addresses and names, for people and programs", () =>
    withPing(ping, async (env) => {
      const [mtu, named, hops, json] = await Promise.all([
        mccache(["mtu", "127.0.0.1"], env),
        mccache(["mtu", "localhost", "--ipv4", "--json"], env),
        mccache(["hops", "127.0.0.1"], env),
        mccache(["hops", "127.0.0.1", "--json"], env)
      ])
      assert.deepStrictEqual(mtu, {
        code: 0,
        out: "1372 bytes of UDP payload reach 127.0.0.1 in one piece\n",
        err: ""
      })
      assert.deepInclude(JSON.parse(named.out), {
        host: "localhost",
        address: "127.0.0.1",
        family: "IPv4",
        payloadBytes: 1_372
      })
      assert.deepStrictEqual(hops, { code: 0, out: "127.0.0.1 is 3 hops away\n", err: "" })
      assert.deepInclude(JSON.parse(json.out), { hops: 3 })
    }))

  it("that does not answer is told with a reason: exit code 1, or 2 for what cannot be", () =>
    withPing(ping, async (env) => {
      const refused = async (wrong: 1 | 2, ...args: ReadonlyArray<string>): Promise<string> => {
        const { code, err, out } = await mccache(args, env)
        assert.deepStrictEqual([code, out], [wrong, ""], args.join(" "))
        assert.notInclude(err, "    at ")
        return err
      }
      assert.match(await refused(1, "mtu", "192.0.2.66"), /^mccache: 192\.0\.2\.66 does not answer ping/)
      assert.match(await refused(1, "hops", "127.0.0.1", "--max", "2"), /within 2 hops/)
      assert.match(await refused(2, "hops", "127.0.0.1", "--max", "0"), /whole numbers from 1 to 255/)
      assert.match(await refused(2, "mtu", "no such host"), /neither an IP address nor the name of a host/)
      assert.match(await refused(2, "mtu", "::1", "--ipv4"), /IPv6 address, and --ipv4/)
    }))

  it("cannot be measured without ping, and how to get it is told", () =>
    withPing(undefined, async (env) => {
      const { code, err } = await mccache(["mtu", "127.0.0.1"], env)
      assert.strictEqual(code, 1)
      assert.include(err, "ping is missing")
      assert.include(err, "iputils")
    }))
})
