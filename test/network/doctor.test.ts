/** `mccache doctor` at hosts whose networks have faults: each is found, and told with what to do about it. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import type { Finding } from "../../src/runtime/cli/DoctorFacts.ts"
import { bin, environment, run } from "../integration/support/Spawned.ts"
import { Lan, unavailable } from "./support/Namespaces.ts"

const reason = unavailable()

const cluster = {
  MCCACHE_CLUSTER: "doctor",
  MCCACHE_CRYPTO_KEY: randomBytes(32).toString("base64url"),
  MCCACHE_MULTICAST_IP: "239.255.77.4:4777",
  // By default it would be what the link carries.
  MCCACHE_PACKET_MTU: "1472"
}

interface Diagnosis {
  readonly code: unknown
  readonly problems: number
  readonly findings: ReadonlyArray<Finding>
}

class Hospital {
  readonly lan: Lan
  readonly #members: Array<ChildProcess> = []

  constructor(hosts: number, mtuBytes?: number) {
    this.lan = new Lan(hosts, mtuBytes)
  }

  environment(host: number): NodeJS.ProcessEnv {
    return environment({}, { ...cluster, MCCACHE_INTERFACE: this.lan.addressOf(host) })
  }

  /** A member that lives until the end. */
  async member(host: number): Promise<void> {
    const program = `import(${JSON.stringify(new URL("../../src/standalone.ts", import.meta.url).href)})` +
      ".then(({ open }) => open()).then((mccache) => mccache.ready()).then(() => console.log('ready'))"
    const [file, ...args] = [...this.lan.enter(host), process.execPath, "--input-type=module", "-e", program]
    const child = spawn(file, args, {
      env: this.environment(host),
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 110_000
    })
    this.#members.push(child)
    await new Promise((resolve, reject) => {
      child.stdout.once("data", resolve)
      child.once("exit", reject)
    })
  }

  at(host: number, ...command: ReadonlyArray<string>): void {
    const [file, ...args] = [...this.lan.enter(host), ...command]
    execFileSync(file, args, { stdio: ["ignore", "ignore", "inherit"] })
  }

  async diagnose(host: number, ...args: ReadonlyArray<string>): Promise<Diagnosis> {
    const [file, ...rest] = [...this.lan.enter(host), process.execPath, bin, "doctor", "--json", ...args]
    const { code, err, out } = await run([file, ...rest], this.environment(host))
    const found: Diagnosis = { code, ...JSON.parse(out) }
    const { problems } = found
    assert.strictEqual(err, problems === 0 ? "" : `mccache: found ${problems} problem${problems === 1 ? "" : "s"}\n`)
    return found
  }

  close(): void {
    for (const member of this.#members) member.kill("SIGKILL")
    this.lan.close()
  }
}

const statusOf = ({ findings }: Diagnosis, check: string): Finding["status"] | undefined =>
  findings.find((finding) => finding.check === check)?.status

const textOf = ({ findings }: Diagnosis, check: string): string =>
  findings.filter((finding) => finding.check === check).map(({ advice, measured }) => `${measured} ${advice}`).join(
    "\n"
  )

const scenario = (
  name: string,
  mtuBytes: number | undefined,
  act: (hospital: Hospital) => Promise<void>
): void =>
  it.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (SKIPPED: ${reason})`, async () => {
    const hospital = new Hospital(2, mtuBytes)
    try {
      await act(hospital)
    } finally {
      hospital.close()
    }
  })

describe("mccache doctor at hosts of their own", () => {
  scenario("finds the other host, and a group without a route of its own", undefined, async (hospital) => {
    await hospital.member(1)
    const diagnosis = await hospital.diagnose(0)
    assert.deepStrictEqual([diagnosis.code, diagnosis.problems], [0, 0], JSON.stringify(diagnosis.findings))
    for (const check of ["key", "interface", "group", "packet size", "own echo", "members", "clock"]) {
      assert.strictEqual(statusOf(diagnosis, check), "ok", check)
    }
    assert.include(textOf(diagnosis, "members"), hospital.lan.addressOf(1))
    assert.strictEqual(statusOf(diagnosis, "route"), "warning")
    assert.include(textOf(diagnosis, "route"), "ip route add 224.0.0.0/4 dev eth0")

    hospital.at(0, "ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
    assert.strictEqual(statusOf(await hospital.diagnose(0), "route"), "ok")
  })

  scenario("finds that an interface is down, or does not carry multicast", undefined, async (hospital) => {
    hospital.at(0, "ip", "link", "set", "eth0", "multicast", "off")
    const deaf = await hospital.diagnose(0)
    assert.deepStrictEqual([deaf.code, statusOf(deaf, "interface")], [1, "problem"])
    assert.include(textOf(deaf, "interface"), "multicast on")

    hospital.lan.link(0, false)
    const down = await hospital.diagnose(0)
    assert.strictEqual(down.code, 1)
    assert.strictEqual(statusOf(down, "interface"), "problem")
  })

  scenario("finds datagrams that are larger than the link's packets", 1_280, async (hospital) => {
    assert.include(textOf(await hospital.diagnose(0), "packet size"), "MCCACHE_PACKET_MTU=1252")
  })

  scenario("hears nobody through a switch that passes nothing on", undefined, async (hospital) => {
    await hospital.member(1)
    hospital.lan.deafen(0, true)
    const diagnosis = await hospital.diagnose(0)
    assert.deepStrictEqual(["own echo", "members"].map((check) => statusOf(diagnosis, check)), ["ok", "warning"])
    assert.strictEqual(statusOf(diagnosis, "switches"), "unchecked")
  })

  scenario("catches a membership that ages out while it listens", undefined, async (hospital) => {
    await hospital.member(1)
    const listening = hospital.diagnose(0, "--minutes", "1.1")
    // As a snooping switch does it that nobody asks: what is for the group comes no more.
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    hospital.lan.deafen(0, true)
    const diagnosis = await listening
    assert.strictEqual(statusOf(diagnosis, "aging"), "problem", JSON.stringify(diagnosis.findings))
    assert.match(
      textOf(diagnosis, "aging"),
      new RegExp(`${hospital.lan.addressOf(1).replaceAll(".", "\\.")}:\\d+ was heard`)
    )
    assert.include(textOf(diagnosis, "aging"), "querier")
  })
})
