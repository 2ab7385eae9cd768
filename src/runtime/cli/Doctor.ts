/**
 * `mccache doctor`: why do my nodes not see each other? Gathers facts of the host, opens a member that has no namespace, listens
 * in the group beside it, and has the checks judge. It sends what any idle member sends.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as CliTerminal from "effect/cli/TerminalCapabilities"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import type { Configuration, Options } from "../../domain/Configuration.ts"
import type { McCacheError } from "../../domain/McCacheError.ts"
import type { MemberId } from "../../domain/Stamp.ts"
import type { Member } from "../../services/Member.ts"
import * as Interfaces from "../Interfaces.ts"
import * as Open from "../Open.ts"
import * as Settings from "../Settings.ts"
import * as ClusterFlags from "./ClusterFlags.ts"
import * as DoctorChecks from "./DoctorChecks.ts"
import type { Facts, Heard, SettingsFacts } from "./DoctorFacts.ts"
import type { Eavesdropper } from "./Eavesdropper.ts"
import * as Eavesdroppers from "./Eavesdropper.ts"
import * as Failure from "./Failure.ts"
import * as FullScreen from "./FullScreen.ts"
import * as HostFacts from "./HostFacts.ts"
import * as ProgressLine from "./ProgressLine.ts"

/** Several heartbeats of everybody, and what it takes to meet. */
const listenMillisDefault = 6_000
const lookMillis = 1_000
const columnsDefault = 100

const settingsOf = (
  { configuration, warnings }: Settings.Settings,
  chosen: Interfaces.Resolved | undefined
): SettingsFacts => {
  const { multicastGroup, protocol } = configuration
  return {
    cluster: configuration.cluster,
    group: multicastGroup.address,
    port: multicastGroup.port,
    family: Interfaces.familyOf(multicastGroup.address),
    hops: configuration.multicastHops,
    interface: configuration.interface,
    keys: Redacted.value(configuration.cryptoKeys).length,
    insecure: configuration.insecure,
    packetBytes: Open.datagramBytes(configuration, chosen ?? { loopback: false, mtu: undefined }),
    receiveBufferBytes: protocol.receiveBufferBytes,
    clockKeepMillis: protocol.clockKeepMillis,
    clockAheadMillisMax: protocol.clockAheadMillisMax,
    dropPercent: configuration.testMonkeyTantrumPercent,
    warnings
  }
}

/** The interface that a member would take, also when it may not. */
const interfaceOf = ({ cryptoKeys, insecure, interface: setting, multicastGroup }: Configuration) =>
  Interfaces.resolve(
    setting,
    Interfaces.familyOf(multicastGroup.address),
    Redacted.value(cryptoKeys).length > 0 || insecure
  )

/** Listens beside a member for so long, and tells who was there. */
const listen = Effect.fnUntraced(function*(
  member: Member,
  ear: Eavesdropper,
  millis: number,
  show: (text: string) => Effect.Effect<void>
): Effect.fn.Return<Heard, McCacheError, Scope.Scope> {
  const met = new Set<MemberId>()
  const left = new Set<MemberId>()
  const refusals = new Set<string>()
  const events = yield* Effect.forkScoped(Stream.runForEach(member.events, (event) =>
    Effect.sync(() => {
      if (event.type === "left") left.add(event.member)
      if (event.type === "joined") met.add(event.member)
      if (event.type === "refused" || event.type === "conflict") refusals.add(event.detail)
    })))
  const startMillis = yield* Clock.currentTimeMillis
  const others = () => member.members().filter(({ state }) => state !== "self")
  const keys = () => new Set(Object.keys(member.localMetrics().openedByKey).map((id) => parseInt(id, 16)))
  let pastMillis = 0
  while (pastMillis < millis) {
    for (const { id } of others()) met.add(id)
    yield* show(
      `listening, ${Math.ceil((millis - pastMillis) / 1_000)} s to go: ${others().length} other members, ` +
        `${ear.senders(keys()).length} senders`
    )
    yield* Effect.sleep(Math.min(lookMillis, millis - pastMillis))
    pastMillis = (yield* Clock.currentTimeMillis) - startMillis
  }
  for (const { id } of others()) met.add(id)
  yield* Fiber.interrupt(events)
  return {
    listenedMillis: pastMillis,
    self: member.id,
    senders: ear.senders(keys()),
    members: others(),
    met,
    left,
    refusals: [...refusals],
    unauthentic: member.localMetrics().refused.unauthentic ?? 0
  }
})

/** Opens a member and listens; what goes wrong is a fact too. */
const examine = Effect.fnUntraced(function*(options: Options, millis: number) {
  const show = yield* ProgressLine.make
  const settings = yield* Effect.result(Settings.load(options))
  if (Result.isFailure(settings)) {
    return {
      host: HostFacts.gather(HostFacts.system("IPv4"), undefined, undefined),
      settingsProblem: settings.failure.message
    } satisfies Facts
  }
  const { configuration } = settings.success
  const chosen = yield* Effect.result(interfaceOf(configuration))
  const facts = settingsOf(settings.success, Result.isSuccess(chosen) ? chosen.success : undefined)
  const sources = HostFacts.system(facts.family)
  if (Result.isFailure(chosen)) {
    return {
      host: HostFacts.gather(sources, facts, undefined),
      settings: facts,
      interfaceProblem: chosen.failure.message
    } satisfies Facts
  }
  const found = { settings: facts, interface: chosen.success }
  const opened = yield* Effect.result(Effect.gen(function*() {
    const member = yield* Open.member(options, {}, () => silent)
    const ear = yield* Eavesdroppers.listen({
      group: facts.group,
      port: facts.port,
      interface: chosen.success.address,
      hops: facts.hops,
      receiveBufferBytes: facts.receiveBufferBytes,
      datagramBytesMax: facts.packetBytes,
      random: () => 0
    })
    const heard = yield* listen(member, ear, millis, show)
    return {
      host: HostFacts.gather(sources, facts, chosen.success),
      ...found,
      receiveBufferBytes: ear.receiveBufferBytes(),
      heard
    } satisfies Facts
  }))
  return Result.isSuccess(opened) ? opened.success : {
    host: HostFacts.gather(sources, facts, chosen.success),
    ...found,
    openProblem: opened.failure.message
  } satisfies Facts
})

const minutes = Flag.Finite("minutes").pipe(
  Flag.withDescription("Listen for so long, to catch memberships that age out: 10 is enough. Default: six seconds"),
  Flag.filter((value) => value > 0 && value <= 24 * 60, (value) => `${value} is not in 0 to 1440`),
  Flag.optional
)

const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

export const doctor = Command.make(
  "doctor",
  { ...ClusterFlags.flags, minutes, json },
  (given) =>
    Effect.gen(function*() {
      const millis = Option.match(given.minutes, {
        onNone: () => listenMillisDefault,
        onSome: (count) => count * 60_000
      })
      // What a member logs at its start and of others is among the findings.
      const facts = yield* examine(ClusterFlags.options(given), millis).pipe(Effect.scoped, Effect.provide(silent))
      const findings = DoctorChecks.findings(facts)
      const problems = findings.filter(({ status }) => status === "problem").length
      if (given.json) yield* Console.log(JSON.stringify({ problems, findings }, undefined, 2))
      else {
        const terminal = yield* Terminal.Terminal
        const { canColor } = yield* CliTerminal.TerminalCapabilities
        const lines = DoctorChecks.lines(findings, (yield* terminal.columns) || columnsDefault)
        yield* Console.log([
          ...lines.map((line) => FullScreen.paint(line, canColor)),
          "",
          DoctorChecks.summary(findings)
        ].join("\n"))
      }
      if (problems > 0) return yield* Failure.failure("failed", `found ${problems} problem${problems === 1 ? "" : "s"}`)
    })
).pipe(
  Command.withDescription(
    "Say why members do not see each other: looks at this host, and listens who is there. Ends with 0 when it finds no problem"
  ),
  Command.withExamples([
    { command: "mccache doctor", description: "Look, and listen for six seconds" },
    { command: "mccache doctor --minutes 10", description: "Catch memberships that a switch lets age out" }
  ])
)

const silent: Layer.Layer<never> = Logger.layer([])
