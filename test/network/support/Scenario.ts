/** A test on a network of its own, or a loud word on why there is none. */
import { describe, it } from "@effect/vitest"
import { type Birth, Driver, type Player, type Settings } from "./Driver.ts"
import { Lan, unavailable } from "./Namespaces.ts"

export interface Stage {
  readonly driver: Driver
  readonly lan: Lan
  readonly players: ReadonlyArray<Player>
}

export interface Setting extends Settings {
  readonly members?: number
  readonly mtuBytes?: number
  readonly birth?: (host: number) => Birth
}

const reason = unavailable()

if (reason !== undefined) {
  const line = "!".repeat(100)
  process.stderr.write(`\n${line}\n!!! SKIPPED: tests on real networks do not run here: ${reason}\n${line}\n\n`)
}

/** Measured: told when a scenario ends, in one line each. */
export const measured = (text: string): void => void process.stdout.write(`measured: ${text}\n`)

const play = async ({ birth, members = 5, mtuBytes, ...settings }: Setting, act: (stage: Stage) => Promise<void>) => {
  const lan = new Lan(members, mtuBytes)
  const driver = new Driver(lan, settings)
  try {
    const players = await driver.startAll(members, birth)
    await act({ driver, lan, players })
    driver.history.check()
  } catch (error) {
    for (const event of driver.history.events) process.stderr.write(`${event}\n`)
    throw error
  } finally {
    await driver.close()
  }
}

/** The scenarios of a file. */
export const scenarios = (
  title: string,
  tell: (scenario: (name: string, setting: Setting, act: (stage: Stage) => Promise<void>) => void) => void
): void => {
  describe(title, () => {
    tell((name, setting, act) => {
      if (reason === undefined) it(name, () => play(setting, act))
      else it.skip(`${name} (SKIPPED: ${reason})`, () => undefined)
    })
  })
}
