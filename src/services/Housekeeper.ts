/**
 * The Housekeeper: the one actor that owns membership, joining, anti-entropy, requests to and from other members, expiry
 * and the heartbeat.
 *
 * A joiner announces itself every `joinIntervalMillis` until somebody proved itself, or until `joinWaitMillis` passed and
 * nobody is there. It has *joined* when it knows a ready member, or is alone, or has the lowest id of members that all
 * start together; it is *ready* when every namespace that was open then has caught up.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Protocol } from "../domain/Configuration.ts"
import type * as HybridClock from "../domain/HybridClock.ts"
import * as MemberLabel from "../domain/MemberLabel.ts"
import * as Membership from "../domain/Membership.ts"
import type { Control, NamespaceSummary, Proof, Request } from "../domain/Operation.ts"
import * as Replica from "../domain/Replica.ts"
import type { MemberId } from "../domain/Stamp.ts"
import * as Actor from "./Actor.ts"
import * as AntiEntropy from "./AntiEntropy.ts"
import type { ClusterEvent } from "./ClusterEvent.ts"
import * as Conditions from "./Conditions.ts"
import type { Counters } from "./Counters.ts"
import * as Differences from "./Differences.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Joining from "./Joining.ts"
import * as MemberLog from "./MemberLog.ts"
import type { MemberTime } from "./MemberTime.ts"
import type { Destination, Multicaster } from "./Multicaster.ts"
import type { Namespace } from "./Namespace.ts"
import type { Address } from "./Network.ts"
import * as OthersClocks from "./OthersClocks.ts"
import * as Requests from "./Requests.ts"
import * as Responder from "./Responder.ts"
import * as Summaries from "./Summaries.ts"

type Message =
  | { readonly _tag: "Met"; readonly from: Destination; readonly proof: Proof }
  | { readonly _tag: "Heard"; readonly member: MemberId; readonly address: Address }
  | { readonly _tag: "Control"; readonly from: Destination; readonly operation: Control }
  | { readonly _tag: "Gap" | "Behind"; readonly member: MemberId }
  | { readonly _tag: "Lagging"; readonly member: MemberId }
  | { readonly _tag: "Opened"; readonly namespace: Namespace }
  | { readonly _tag: "Restart"; readonly namespace: Namespace; readonly pauseMillis: number }
  | {
    readonly _tag: "Ask"
    readonly to: Destination
    readonly build: (request: number) => Request
    readonly done: (reply: Uint8Array | undefined) => void
  }

export interface Host {
  readonly self: MemberId
  readonly time: MemberTime
  readonly protocol: Protocol
  readonly cachePulseMillis: number
  readonly daemonSleepMillis: number
  readonly counters: Counters
  readonly random: () => number
  readonly namespaces: ReadonlyMap<string, Namespace>
  readonly multicaster: Multicaster
  readonly replyBytesMax: () => number
  readonly pieceBytes: number
  /** The parts of the Listener that the Housekeeper needs; it is started later. */
  readonly listener: () => {
    readonly forget: (member: MemberId) => void
    readonly repaired: (member: MemberId, upTo: number) => void
    readonly highestOf: (member: MemberId) => number
    readonly givenUpOf: (member: MemberId) => number
    readonly settledOfAll: Responder.Host["settled"]
    readonly hasGap: () => boolean
    readonly meeting: () => boolean
  }
  readonly floor: () => number
  readonly clock: HybridClock.HybridClock
  readonly clearAll: (clock: number) => boolean
  readonly metrics: (namespace: string | undefined) => string
  readonly checksum: (namespace: string | undefined, key: string | number | undefined) => string
  /** The clock ran so far ahead that others refuse our stamps: start anew, empty. */
  readonly startAnew: () => void
  /** Writes were lost here before they were sent. */
  readonly lostUnsent: () => void
  /** A join or a repair begins. */
  readonly took: AntiEntropy.Host["took"]
  readonly publish: (event: ClusterEvent) => void
}

export interface Housekeeper {
  readonly actor: Actor.Actor<Message>
  readonly membership: Membership.Membership
  readonly met: (from: Destination, proof: Proof) => void
  readonly heard: (member: MemberId, address: Address) => void
  readonly control: (from: Destination, operation: Control) => void
  readonly gap: (member: MemberId) => void
  readonly behind: (member: MemberId) => void
  readonly lagging: (member: MemberId) => void
  readonly opened: (namespace: Namespace) => void
  /** Starts a namespace anew, which takes from the others after a pause. */
  readonly restart: (namespace: Namespace, pauseMillis: number) => void
  readonly ask: (
    to: Destination,
    build: (request: number) => Request,
    done: (reply: Uint8Array | undefined) => void
  ) => void
  /** What this member answers to its own program is logged as what it answers to others. */
  readonly answered: MemberLog.MemberLog["answered"]
  /** Whether everybody that can be found was met. */
  readonly acquainted: () => boolean
  /** Sticky: whether this member can be a donor. */
  readonly ready: () => boolean
  /** Whether every open namespace has caught up. */
  readonly caughtUp: () => boolean
  /** Calls back once `condition` holds; checked whenever something changed. Returns how to stop waiting. */
  readonly when: (condition: () => boolean, done: () => void) => () => void
  readonly alone: () => boolean
}

/** Namespaces of a member that are known; the others are asked for when they are opened here. */
const summariesMax = 4_096
const queueCapacityMessages = 65_536

export const start = Effect.fnUntraced(function*(host: Host): Effect.fn.Return<Housekeeper, never, Scope.Scope> {
  const { multicaster, protocol, time } = host
  const membership = Membership.make(host.self, protocol)
  let expectedTicks = Infinity
  const welcomes = new Map<MemberId, number>()
  /** When a member last said that it refuses our messages. */
  const refusedTicks = new Map<MemberId, number>()
  const conditions = Conditions.make()
  const summaries = Summaries.make({
    namespaces: host.namespaces,
    time,
    joined: () => joining.joined(),
    bytesMax: host.pieceBytes
  })
  const log = MemberLog.make({ self: host.self, ticks: time.ticks, counters: host.counters })
  const publish = (
    event: ClusterEvent,
    of = "member" in event ? membership.members.get(event.member) : undefined
  ): void => {
    host.publish(event)
    log.event(event, of)
  }

  const told = (what: MemberLog.Answered, json: string): string => {
    log.answered(what, () => json)
    return json
  }

  const requests = Requests.make({
    ticks: time.ticks,
    send: multicaster.send,
    giveUpMillis: protocol.repairTimeoutMillis,
    replyBytesMax: host.replyBytesMax
  })
  const responder = Responder.make({
    self: host.self,
    time,
    namespaces: host.namespaces,
    pieceBytes: host.pieceBytes,
    settled: () => [...host.listener().settledOfAll(), { sender: host.self, number: multicaster.highest() }],
    send: multicaster.send,
    metrics: (namespace) => told("metrics", host.metrics(namespace)),
    checksum: (namespace, key) => told("checksum", host.checksum(namespace, key)),
    reset: (name) => {
      for (const namespace of host.namespaces.values()) {
        if (name === undefined || name === namespace.name) restart(namespace, 0)
      }
    }
  })
  const antiEntropy = AntiEntropy.make({
    time,
    protocol,
    cachePulseMillis: host.cachePulseMillis,
    pieceBytes: host.pieceBytes,
    took: host.took,
    clock: host.clock,
    counters: host.counters,
    random: host.random,
    namespaces: host.namespaces,
    membership,
    requests,
    joined: () => joining.joined(),
    highestOf: (member) => host.listener().highestOf(member),
    givenUpOf: (member) => host.listener().givenUpOf(member),
    hasGap: () => host.listener().hasGap(),
    repaired: (member, upTo) => host.listener().repaired(member, upTo),
    caughtUp: () => heartbeat.hurry(),
    incoherent: (namespace, member, records) =>
      publish({ type: "incoherent", namespace: namespace.name, member, records })
  })

  const differences = Differences.make({
    ticks: time.ticks,
    namespaces: host.namespaces,
    report: (to, detail) => multicaster.send(to, { _tag: "ERROR", reason: "options", detail: detail.slice(0, 512) }),
    publish,
    warn: (message) => log.say("Warn", "sizing", message)
  })

  const clocks = OthersClocks.make({
    time,
    protocol,
    membership,
    clock: host.clock,
    ready: () => joining.ready(),
    publish,
    startAnew: host.startAnew
  })

  const restart = (namespace: Namespace, pauseMillis: number): void => {
    if (namespace.startAnew()) host.lostUnsent()
    namespace.sentBefore = multicaster.highest()
    antiEntropy.restart(namespace, pauseMillis)
    heartbeat.hurry()
  }

  // ------------------------------------------------------------------------------------------------ joining

  const caughtUp = (): boolean => {
    for (const namespace of host.namespaces.values()) if (!namespace.caughtUp) return false
    return true
  }

  const joining = Joining.make({
    time,
    protocol,
    membership,
    announce: () => multicaster.send(undefined, { _tag: "JOIN", physicalMillis: time.physical() }),
    meeting: () => host.listener().meeting(),
    caughtUp,
    becameReady: () => {
      publish({ type: "ready", member: host.self })
      // The others wait for this word.
      heartbeat.beatNow()
      multicaster.wake()
    }
  })

  const pulse = (namespaces: ReadonlyArray<NamespaceSummary>, asks = false): Control => ({
    _tag: "PULSE",
    lowest: multicaster.lowest(),
    highest: multicaster.highest(),
    physicalMillis: time.physical(),
    clock: host.clock.last,
    ready: joining.ready(),
    asks,
    floor: host.floor(),
    namespaces
  })

  const heartbeat = Heartbeat.make({
    ticks: time.ticks,
    heartbeatMillis: protocol.heartbeatMillis,
    summaries,
    send: (namespaces) => multicaster.send(undefined, pulse(namespaces))
  })

  // ------------------------------------------------------------------------------------------------ messages

  const onSummaries = (
    member: Membership.Member,
    list: ReadonlyArray<NamespaceSummary>
  ): void => {
    member.told = true
    let caughtUp = false
    for (const summary of list) {
      const before = member.summaries.get(summary.name)
      if (before === undefined && member.summaries.size >= summariesMax) continue
      member.summaries.set(summary.name, summary)
      caughtUp ||= summary.caughtUp && before?.caughtUp === false
      const namespace = host.namespaces.get(summary.name)
      if (namespace === undefined) continue
      if (differences.onSummary(namespace, member, summary)) antiEntropy.onSummary(member, summary)
    }
    if (caughtUp) multicaster.caughtUp(member.id)
  }

  const remove = (member: Membership.Member, type: "left" | "removed"): void => {
    // Whether everything that it ever sent is here: nobody can be asked for the rest any more.
    const clean = type === "left" && !host.listener().hasGap()
    membership.members.delete(member.id)
    welcomes.delete(member.id)
    refusedTicks.delete(member.id)
    differences.onLeft(member)
    host.listener().forget(member.id)
    requests.onLeft(member.id)
    antiEntropy.onLeft(member.id, clean)
    publish({ type, member: member.id }, member)
  }

  const onMessage = (message: Message, now: number): void => {
    switch (message._tag) {
      case "Met": {
        const { from, proof } = message
        const member = Membership.add(membership, {
          id: from.id,
          address: from.address,
          ...MemberLabel.told(proof),
          version: proof.version,
          ready: proof.ready,
          elder: proof.ready === joining.ready() ? from.id < host.self : proof.ready,
          offsetMillis: 0
        }, now)
        clocks.note(member, proof)
        publish({ type: "joined", member: from.id })
        if (joining.ready() && Membership.welcomes(membership, from.id, protocol.welcomeMembersMax)) {
          welcomes.set(from.id, now + host.random() * protocol.welcomeDelayMillis)
        }
        return
      }
      case "Heard": {
        const member = membership.members.get(message.member)
        if (member === undefined) return
        member.address = message.address
        if (Membership.hear(member, now)) publish({ type: "recovered", member: member.id })
        return
      }
      case "Control": {
        const member = membership.members.get(message.from.id)
        if (member !== undefined) onControl(member, message.operation, now)
        return
      }
      case "Gap":
      case "Behind":
        if (message._tag === "Gap") publish({ type: "lost", member: message.member })
        antiEntropy.gap(message.member)
        return
      case "Lagging":
        publish({ type: "lagging", member: message.member })
        return
      case "Opened":
        antiEntropy.opened(message.namespace)
        heartbeat.hurry()
        return
      case "Restart":
        restart(message.namespace, message.pauseMillis)
        return
      case "Ask":
        requests.ask(message.to, message.build, message.done, () => message.done(undefined))
    }
  }

  const isReady = (member: Membership.Member, ready: boolean): void => {
    if (ready && !member.ready) multicaster.caughtUp(member.id)
    member.ready = ready
  }

  const onControl = (member: Membership.Member, operation: Control, now: number): void => {
    switch (operation._tag) {
      case "PULSE": {
        isReady(member, operation.ready)
        clocks.note(member, operation)
        if (operation.floor > host.floor()) host.clearAll(operation.floor)
        // Announcements between heartbeats tell nothing of namespaces.
        if (!operation.asks) onSummaries(member, operation.namespaces)
        return
      }
      case "WELCOME":
        joining.welcomed(operation.members)
        isReady(member, operation.ready)
        if (operation.floor > host.floor()) host.clearAll(operation.floor)
        onSummaries(member, operation.namespaces)
        return
      case "JOIN":
        // It was met, and still announces itself, without ever having acknowledged anything: our proof may have been lost. It
        // challenges whom it does not know, and would else take itself to be alone. What waited until it was met is no such sign.
        if (now <= member.metMillis || multicaster.lagOf(member.id) !== undefined) return
        multicaster.send(member, pulse(summaries.welcome()))
        return
      case "LEAVE":
        remove(member, "left")
        return
      case "ERROR":
        if (now - (refusedTicks.get(member.id) ?? -Infinity) < 1_000) return
        refusedTicks.set(member.id, now)
        publish({ type: "refused", member: member.id, detail: operation.detail })
        return
      case "REPLY":
        requests.onReply(member, operation)
        return
      case "PULL":
        responder.onPull(member, operation)
        return
      case "DIGEST":
      case "LISTING":
      case "WANT":
      case "METRICS":
      case "CHECKSUM":
      case "RESET":
        responder.onRequest(member, operation)
    }
  }

  // ------------------------------------------------------------------------------------------------ time

  const tick = (now: number): void => {
    clocks.onDue()
    for (const [id, due] of welcomes) {
      if (due > now) continue
      welcomes.delete(id)
      const member = membership.members.get(id)
      if (member === undefined) continue
      multicaster.send(member, {
        _tag: "WELCOME",
        ready: joining.ready(),
        members: Membership.alive(membership),
        floor: host.floor(),
        namespaces: summaries.welcome()
      })
    }
    antiEntropy.onDue()
    requests.onDue()
    joining.onDue()
    if (heartbeat.isDue()) {
      for (const namespace of host.namespaces.values()) Replica.sweep(namespace.replica, time.now())
      responder.sweep()
      heartbeat.beat()
      // Whose first acknowledgement was lost does not count yet: nothing is kept for it. It is asked, alone, for another.
      for (const member of membership.members.values()) {
        if (member.metMillis < now && multicaster.lagOf(member.id) === undefined) {
          multicaster.send(member, pulse([], true))
        }
      }
      const judged = Membership.tick(membership, now)
      for (const member of judged.suspected) publish({ type: "suspected", member: member.id })
      for (const member of judged.removed) remove(member, "removed")
    } else heartbeat.onDue()
    log.look()
    conditions.look()
  }

  const handle = (messages: ReadonlyArray<Message>): Effect.Effect<void> | undefined => {
    const now = time.ticks()
    // Late: this process was stalled, stopped or asleep, and what the others said meanwhile waits in the sockets.
    if (now - expectedTicks > protocol.stallMillis) Membership.forgive(membership, now - expectedTicks)
    for (const message of messages) onMessage(message, now)
    tick(now)
    return log.take()
  }

  const nextDue = (): number => {
    let due = Math.min(
      heartbeat.nextDue(),
      clocks.nextDue(),
      time.ticks() + host.daemonSleepMillis,
      joining.nextDue(),
      requests.nextDue(),
      antiEntropy.nextDue()
    )
    for (const at of welcomes.values()) due = Math.min(due, at)
    // What waited, and is due since long, is done now: that is not this process being late.
    expectedTicks = Math.max(due, time.ticks())
    return due
  }

  const actor = yield* Actor.start<Message>({
    name: "housekeeper",
    capacity: queueCapacityMessages,
    handle,
    nextDue
  }, time.ticks)

  return {
    actor,
    membership,
    met: (from, proof) => void actor.offer({ _tag: "Met", from, proof }),
    heard: (member, address) => void actor.offer({ _tag: "Heard", member, address }),
    control: (from, operation) => void actor.offer({ _tag: "Control", from, operation }),
    gap: (member) => void actor.offer({ _tag: "Gap", member }),
    behind: (member) => void actor.offer({ _tag: "Behind", member }),
    lagging: (member) => void actor.offer({ _tag: "Lagging", member }),
    opened: (namespace) => void actor.offer({ _tag: "Opened", namespace }),
    restart: (namespace, pauseMillis) => void actor.offer({ _tag: "Restart", namespace, pauseMillis }),
    ask: (to, build, done) => {
      if (!actor.offer({ _tag: "Ask", to, build, done })) done(undefined)
    },
    answered: (what, json) => {
      log.answered(what, json)
      actor.wake()
    },
    acquainted: joining.acquainted,
    ready: joining.ready,
    caughtUp,
    when: (condition, done) => {
      const stop = conditions.when(condition, done)
      actor.wake()
      return stop
    },
    alone: () => joining.acquainted() && membership.members.size === 0
  }
})
