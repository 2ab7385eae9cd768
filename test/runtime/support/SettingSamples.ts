/**
 * Of each setting a value that is not its default, as it stands in `package.json` and in code, as text in the environment,
 * and what it is decoded to.
 */
import * as Redacted from "effect/Redacted"

export interface Sample {
  readonly json: string | number | boolean
  readonly text: string
  readonly decoded: unknown
}

const sample = (json: Sample["json"], decoded: unknown = json, text = String(json)): Sample => ({ json, text, decoded })

const key = "sjQNjXGt_AygJrrFUu7C5hN6voq9a9WBBorVXkuD3Xc="

/** By option. A test holds the names to those of the table. */
export const samples: { readonly [option: string]: Sample } = {
  cacheTtl: sample("2 minutes", 120_000),
  cacheMax: sample(1_000),
  cacheSize: sample(65_536),
  cacheMode: sample(2),
  cachePulse: sample(60, 60_000),
  cacheCollision: sample("latest"),
  // Alone it must be the one of mode 1; that it is read at all is seen by its origin.
  cacheEviction: sample("updated"),
  cryptoKey: sample(key, Redacted.make([Uint8Array.from(Buffer.from(key, "base64url"))])),
  insecure: sample(true, true, "1"),
  cluster: sample("shop"),
  packetMtu: sample(9_000),
  multicastIp: sample("239.1.2.3:5000", { address: "239.1.2.3", port: 5_000 }),
  multicastHops: sample(7),
  interface: sample("lo"),
  callbackWin: sample(0.5, 500),
  daemonSleep: sample("100 millis", 100),
  logFilename: sample("logs/mccache.log"),
  logLevel: sample("debug", "Debug"),
  logFormat: sample("json"),
  logKeys: sample("plain"),
  testRandomSeed: sample(42),
  testClusterSize: sample(9),
  testKeyEntries: sample(100),
  testDataSizeMix: sample(3),
  testRunDuration: sample(10, 600_000),
  testAperture: sample(0.001, 1),
  testMonkeyTantrum: sample(2.5)
}
