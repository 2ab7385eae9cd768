/**
 * Sabotages of the protocol, one line each: every one breaks a rule, and the swarm must notice. A mutant that survives says
 * that a rule is not needed, or not checked. `scripts/mutants.ts` runs them.
 */
export interface Mutant {
  readonly name: string
  /** The rule that it breaks. */
  readonly what: string
  readonly file: string
  /**
   * What notices it, if not the swarm: the model, where what must meet is too rare in whole clusters; or a test, where the
   * rule is a bound or a pace that breaks no invariant of a small cluster.
   */
  readonly by?: "model" | `test/${string}.test.ts`
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /** The invariants (section 12 of the design) that it may break: any of them, whichever shows first. */
  readonly invariants: ReadonlyArray<number>
}

const replica = "src/domain/Replica.ts"
const holdings = "src/domain/Holdings.ts"
const repair = "src/domain/Repair.ts"
const receiveStream = "src/domain/ReceiveStream.ts"
const flowWindow = "src/domain/FlowWindow.ts"
const sessions = "src/services/Sessions.ts"
const namespace = "src/services/Namespace.ts"
const antiEntropy = "src/services/AntiEntropy.ts"
const multicaster = "src/services/Multicaster.ts"
const listener = "src/services/Listener.ts"
const housekeeper = "src/services/Housekeeper.ts"

export const mutants: ReadonlyArray<Mutant> = [
  // ---------------------------------------------------------------------------------------------- the replica
  {
    name: "tombstone forgotten",
    what: "A delete leaves a tombstone, so that older copies that come later are not stored.",
    file: replica,
    find: `  Holdings.holdTombstone(self, tombstone)`,
    replace: `  if (cause !== "delete") Holdings.holdTombstone(self, tombstone)`,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "stamp compared with ≤",
    what: "Of two writes under one clock value the greater writer wins (rule 2).",
    file: replica,
    find: `} else if (clock < held.clock || (clock === held.clock && event.writer <= held.writer)) return "superseded"`,
    replace: `} else if (clock <= held.clock) return "superseded"`,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "newest not compared",
    what: "What is older than what is held changes nothing (rule 2).",
    file: replica,
    find: `} else if (clock < held.clock || (clock === held.clock && event.writer <= held.writer)) return "superseded"`,
    replace: `}`,
    invariants: [2, 3]
  },
  {
    name: "collision checked after newest-wins",
    what: "Two writers under one clock value collide, whichever of them is greater (rule 3).",
    file: replica,
    find: `if (held !== undefined && held.clock === clock && held.writer !== event.writer) {`,
    replace: `if (held !== undefined && held.clock === clock && held.writer < event.writer) {`,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "collision kept for itself",
    what: "A collision's tombstone is greater than both writes (rule 3).",
    file: replica,
    find: `bury(self, held, event.key, held.keyHash, event.clock, Stamp.collisionWriter, "collision", 0)`,
    replace: `bury(self, held, event.key, held.keyHash, event.clock, held.writer, "collision", 0)`,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "clock not advanced on receipt",
    what: "A local write's stamp exceeds everything that was received before it (rule 1).",
    file: "src/domain/HybridClock.ts",
    find: `  self.last = clock`,
    replace: `  void clock`,
    invariants: [2, 3, 4, 5, 9]
  },
  {
    name: "expiry not checked on read",
    what: "An entry that expired is not readable, freed or not (rule 5).",
    file: replica,
    find: `entry.expiresAt === 0 || entry.expiresAt > judge(self, nowMillis)`,
    replace: `true`,
    invariants: [2]
  },
  {
    name: "fresh beyond its expiry",
    what: "What a lookup takes for fresh without asking for the exact time has not expired (rule 5).",
    file: "src/domain/RecordTable.ts",
    by: "test/domain/RecordTable.test.ts",
    find: `export const glanceMarginMillis = 10_000`,
    replace: `export const glanceMarginMillis = -10_000`,
    invariants: [2]
  },
  {
    name: "a large cluster acknowledges at once",
    what: "Receivers that share a sender's time for acknowledgements spread them, also the first after a rest.",
    file: receiveStream,
    by: "test/domain/ReceiveStream.test.ts",
    find: `self.ackSpreadMillis === 0 && nowMillis - self.toldMillis >= self.options.ackDelayMillis`,
    replace: `nowMillis - self.toldMillis >= self.options.ackDelayMillis`,
    invariants: [9]
  },
  {
    name: "a deleted key remembered as there",
    what: "The slot that the table remembers of the key that was last asked for is the one that the key has.",
    file: "src/domain/RecordTable.ts",
    by: "test/domain/RecordTable.test.ts",
    find: `    if (slot === this.#lastSlot) this.#lastSlot = -1`,
    replace: ``,
    invariants: [2]
  },
  {
    name: "expired arrival not folded",
    what: "An event that arrives already expired supersedes what is older (rule 5).",
    file: replica,
    find: `bury(self, held, key, keyHash, clock, writer, "expiry", expiresAt)`,
    replace: `return "superseded"`,
    invariants: [2, 5, 9]
  },
  {
    name: "expired without a trace",
    what: "An expired entry leaves a tombstone, so that older copies that come later are not stored (rule 5).",
    file: replica,
    find: `bury(self, entry, entry.key, entry.keyHash, entry.clock, entry.writer, "expiry", entry.expiresAt)`,
    replace: `self.records.delete(entry), Holdings.release(self, entry)`,
    invariants: [1, 2, 3, 5, 9]
  },
  {
    name: "time judged anew",
    what: "The time that expiry is judged by never runs back.",
    file: replica,
    find: `nowMillis > self.judgedMillis ? self.judgedMillis = nowMillis : self.judgedMillis`,
    replace: `self.judgedMillis = nowMillis`,
    invariants: [2]
  },
  {
    name: "floor ignored by events",
    what: "An event at or below the floor changes nothing (rule 4).",
    file: replica,
    find: `if (clock <= self.floor) {`,
    replace: `if (clock < 0) {`,
    invariants: [2]
  },
  {
    name: "floor not applied to repaired entries",
    what: "What a repair brings is admitted by the floor as it is when it comes.",
    file: replica,
    by: "test/domain/Replica.test.ts",
    find: `if (clock <= self.floor) {`,
    replace: `if (clock <= self.floor && event.origin !== "repair") {`,
    invariants: [2]
  },
  {
    name: "clear takes what is newer",
    what: "A clear removes what is at or below its stamp, and nothing else (rule 4).",
    file: replica,
    find: `    if (record.clock > event.clock && !mayHaveReadOld(self, record)) continue`,
    replace: ``,
    invariants: [2, 3, 5]
  },
  {
    name: "forget line not raised by eviction",
    what: "When an entry is evicted the forget line rises to its stamp (rule 7).",
    file: replica,
    find: `} else forgetRecord(self, entry)`,
    replace: `} else self.records.delete(entry), Holdings.release(self, entry)`,
    invariants: [1, 3, 5, 9]
  },
  {
    name: "forget line not raised by age",
    what: "When an old tombstone is dropped the forget line rises to its stamp (rule 7).",
    file: replica,
    find: `    forgetRecord(self, tombstone)`,
    replace: `    self.records.delete(tombstone), Holdings.release(self, tombstone)`,
    invariants: [1, 2, 5]
  },
  {
    name: "forget line not raised by budget",
    what: "When there are too many tombstones, the forget line rises to the stamp of the one that goes (rule 7).",
    file: replica,
    find: `    forgetRecord(self, oldest)`,
    replace: `    self.records.delete(oldest), Holdings.release(self, oldest)`,
    invariants: [1, 2, 5]
  },
  {
    name: "forget line ignored",
    what: "An event for an unknown key at or below the forget line is not stored (rule 7).",
    file: replica,
    find: `if (clock <= forgetLine(self, event.key)) {`,
    replace: `if (clock < 0) {`,
    invariants: [1, 2, 3, 5, 9]
  },
  {
    name: "hold dropped",
    what: "While a repair runs, keys of equal buckets obey the donor's forget line.",
    file: replica,
    find: `for (const hold of self.holds) if (hold.equal[bucket] === 1 && hold.forget > line) line = hold.forget`,
    replace: `void bucket`,
    by: "model",
    invariants: [1, 2, 3, 5]
  },
  {
    name: "eviction by arrival instead of stamp",
    what: "In mode 1 the oldest stamp is evicted first, the same at every member (rule 8).",
    file: holdings,
    by: "test/domain/Replica.test.ts",
    find: `byStamp: new StampHeap<Entry>(clockOf, true)`,
    replace: `byStamp: new StampHeap<Entry>((entry) => entry.updatedAt, true)`,
    invariants: [1, 3, 5]
  },
  {
    name: "an earlier expiry noticed late",
    what: "An entry that a newer write lets expire sooner is freed then.",
    file: holdings,
    by: "test/domain/Replica.test.ts",
    find: `write.clock > clock && (expiresAt === 0 ? write.expiresAt === 0 : write.expiresAt >= expiresAt)`,
    replace: `write.clock > clock && (expiresAt === 0) === (write.expiresAt === 0)`,
    invariants: [6]
  },
  {
    name: "a place in the order of stamps kept for an equal one",
    what: "Of two writes under one clock value the later one's writer decides when it is evicted (rules 2 and 8).",
    file: holdings,
    by: "test/domain/Replica.test.ts",
    find: `  write.clock > clock && (`,
    replace: `  write.clock >= clock && (`,
    invariants: [6]
  },
  {
    name: "never evicted",
    what: "A namespace holds at most 'cacheMax' entries.",
    file: replica,
    find: `if (self.size > self.options.cacheMax || self.bytes > self.options.cacheSizeBytes) shrink(self, origin)`,
    replace: `if (self.bytes > self.options.cacheSizeBytes) shrink(self, origin)`,
    invariants: [6]
  },
  {
    name: "tombstones without bound",
    what: "A namespace holds at most 'tombstonesMax' tombstones.",
    file: replica,
    find: `while (self.tombstones > self.options.tombstonesMax) {`,
    replace: `while (self.tombstones > 2 * self.options.tombstonesMax) {`,
    invariants: [6]
  },
  {
    name: "mode 0 keeps no tombstones",
    what: "In mode 0 a delete leaves a tombstone that repairs tell of.",
    file: replica,
    find: `  if (self.options.mode === 2) return\n`,
    replace: `  if (self.options.mode !== 1) return\n`,
    invariants: [2, 3, 5, 9]
  },
  {
    name: "mode 2 invalidation ignores fills",
    what: "In mode 2 a write invalidates fills, also those under a later stamp (rule 9).",
    file: replica,
    find: `if (Stamp.compare(event, held) <= 0 && !mayHaveReadOld(self, held)) return "superseded"`,
    replace: `if (Stamp.compare(event, held) <= 0) return "superseded"`,
    invariants: [5]
  },

  // ---------------------------------------------------------------------------------------------- digests and repair
  {
    name: "repair that skips tombstones",
    what: "A repair transfers tombstones as it does entries.",
    file: repair,
    find: `if (!tied && Stamp.compare(item, held) <= 0) continue`,
    replace: `if (!tied && (item.kind !== 0 || Stamp.compare(item, held) <= 0)) continue`,
    invariants: [1, 2, 5, 7, 9]
  },
  {
    name: "digest without tombstones",
    what: "Digests cover tombstones as they do entries.",
    file: "src/domain/Digest.ts",
    find: `const lane = 2 * bucketOf(keyHash)`,
    replace: `if (record.kind === "tombstone") return; const lane = 2 * bucketOf(keyHash)`,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "forget line not exchanged",
    what: "After a repair the forget line is the greater of both.",
    file: repair,
    find: `if (self.hold.forget > replica.forget) replica.forget = self.hold.forget`,
    replace: ``,
    invariants: [1, 2, 3, 5]
  },
  {
    name: "absence concluded from what was not listed",
    what: "Absence is concluded of keys of listed buckets only.",
    file: repair,
    find: `if (listed === undefined || record.clock > listed.forget || listed.keys.has(record.key)) continue`,
    replace: `if (record.clock > (listed?.forget ?? self.forget) || listed?.keys.has(record.key)) continue`,
    invariants: [1, 3, 5, 7]
  },
  {
    name: "absence concluded above the forget line",
    what: "What the donor lacks is dropped only at or below the donor's forget line.",
    file: repair,
    find: `if (listed === undefined || record.clock > listed.forget || listed.keys.has(record.key)) continue`,
    replace: `if (listed === undefined || listed.keys.has(record.key)) continue`,
    invariants: [1, 2, 3, 5, 9]
  },
  {
    name: "absence concluded from an incomplete listing",
    what: "A repair in which something wanted did not come concludes nothing.",
    file: repair,
    find: `if (self.spoiled || self.wanted.size > 0) return false`,
    replace: ``,
    invariants: [1, 2, 3, 5, 9]
  },
  {
    name: "unequal quanta compared",
    what: "Digests are compared only as of the same quantum.",
    file: antiEntropy,
    by: "test/simulation/digests.test.ts",
    find: `if (own.quantum !== summary.quantum) return`,
    replace: ``,
    invariants: [7]
  },
  {
    name: "digests start no repair",
    what: "A difference between two digests is repaired.",
    file: antiEntropy,
    by: "test/simulation/digests.test.ts",
    find: `state.wanted.set(member.id, time.ticks() + host.random() * protocol.repairDelayMillisMax)`,
    replace: ``,
    invariants: [1, 5]
  },
  {
    name: "joiner answers digests too early",
    what: "A member that still catches up with a namespace neither tells nor answers digests of it.",
    file: namespace,
    find: `  caughtUp = false\n`,
    replace: `  caughtUp = true\n`,
    invariants: [9]
  },
  {
    name: "gap abandoned without repair",
    what: "Numbers that are given up are made good by a repair with their sender.",
    file: listener,
    find: `        host.gap(session.id)`,
    replace: ``,
    invariants: [1, 5]
  },
  {
    name: "abandoned counts as settled",
    what: "A number that was given up is not settled before a repair has brought what it carried.",
    file: receiveStream,
    find: `if (number > self.unrepaired) self.unrepaired = number`,
    replace: ``,
    invariants: [1, 5, 9]
  },
  {
    name: "gap closed without a take",
    what: "What was given up of a sender counts as repaired only after a take from it.",
    file: antiEntropy,
    find: `      gap.remaining.add(namespace.name)`,
    replace: ``,
    invariants: [1, 5, 9]
  },
  {
    name: "mode 2 keeps what it holds after a gap",
    what: "In mode 2 a gap drops everything, as any of it may be old.",
    file: antiEntropy,
    find: `      if (namespace.options.mode === 2) {`,
    replace: `      if (namespace.options.mode === 2 && namespace.caughtUp === false) {`,
    invariants: [5, 9]
  },
  {
    name: "stranger's past not repaired",
    what: "Who is met again is repaired with, as it may have written meanwhile.",
    file: listener,
    find: `if (ReceiveStream.abandoned(session.stream)) host.behind(session.id)`,
    replace: `ReceiveStream.repaired(session.stream, Infinity)`,
    invariants: [1, 5, 9]
  },
  {
    name: "lonely writes leave no trace",
    what: "Who comes later must know that something was written while nobody was there.",
    file: multicaster,
    find: `if (drain.pending()) SendStream.skip(stream)`,
    replace: ``,
    invariants: [1, 5]
  },

  // ---------------------------------------------------------------------------------------------- streams and waits
  {
    name: "ack before fold",
    what: "A datagram is acknowledged as settled when all that it carries is folded.",
    file: listener,
    find: `      carried.remaining++`,
    replace: ``,
    invariants: [9]
  },
  {
    name: "refused events acknowledged",
    what: "An event that was refused for its clock is not acknowledged.",
    file: namespace,
    find: `if (this.foldEvent(delivery.events[index], now) === "refused") delivery.tokens[datagram].refused = true`,
    replace: `this.foldEvent(delivery.events[index], now)`,
    invariants: [1, 5, 9]
  },
  {
    name: "flush passes on receipt",
    what: "A flush waits until the others have settled, not only received, what was written.",
    file: flowWindow,
    find: `self.receivers.get(member)?.settled`,
    replace: `self.receivers.get(member)?.received`,
    invariants: [9]
  },
  {
    name: "empty, and computing",
    what: "In mode 0 what is being computed while nothing is held is not stored when something of a sender was missed.",
    file: antiEntropy,
    by: "test/simulation/healing.test.ts",
    find: `        namespace.overtake()`,
    replace: ``,
    invariants: [5]
  },
  {
    name: "what joins with it is not waited for",
    what: "A namespace has caught up only with what those wrote that have not caught up either.",
    file: antiEntropy,
    by: "test/simulation/waits.test.ts",
    find: `if (how === "failed") state.failed.add(donor)`,
    replace: `if (how === "failed" || how === "later") state.failed.add(donor)`,
    invariants: [9]
  },
  {
    name: "flush that forgets the outbox",
    what: "A flush covers what still waits in the outbox.",
    file: "src/services/Waits.ts",
    find: `place: places.last,`,
    replace: `place: 0,`,
    invariants: [9]
  },
  {
    name: "ready too early",
    what: "A member is ready when its namespaces have caught up, not when it has joined.",
    file: "src/services/Housekeeper.ts",
    find: `for (const namespace of host.namespaces.values()) if (!namespace.caughtUp) return false`,
    replace: ``,
    invariants: [9]
  },
  {
    name: "tail loss not heard of",
    what: "A receiver learns from announcements which numbers exist.",
    file: receiveStream,
    find: `  reveal(self, highest, nowMillis)`,
    replace: ``,
    invariants: [1, 5]
  },
  {
    name: "tail loss not announced",
    what: "After the last data its number is announced until everybody has settled it.",
    file: multicaster,
    find: `  if (now < pulseDue) return`,
    replace: `  if (now < pulseDue) return
    pulseDue = Infinity
    if (!Number.isNaN(now)) return`,
    invariants: [9]
  },
  {
    name: "announced for ever",
    what: "A number that everybody has settled is announced no more.",
    file: multicaster,
    find: `if (!waiting && FlowWindow.settledByAll(flow) >= SendStream.highest(stream)) {`,
    replace: `if (!waiting && FlowWindow.counted(flow) === 0) {`,
    invariants: [7]
  },
  {
    name: "NACK never repeated",
    what: "What is missing is asked for again and again.",
    file: receiveStream,
    find: `      self.nackDue = nowMillis + self.nackIntervalMillis`,
    replace: `      self.nackDue = Infinity`,
    invariants: [1, 5, 9]
  },
  {
    name: "retransmission answered once",
    what: "A number is sent again as often as it is asked for.",
    file: "src/domain/SendStream.ts",
    find: `if ((lately && !toOther && !again) ||`,
    replace: `if (resent !== -Infinity ||`,
    invariants: [7]
  },
  {
    name: "resend with other content",
    what: "The content of a number never changes.",
    file: multicaster,
    find: `sealTo(SendStream.isForAll(stream, number) ? undefined : destination, body)`,
    replace:
      `const other = (SendStream.body(stream, SendStream.highest(stream)) ?? body).slice(); Framing.numberBody(other, number, false); sealTo(undefined, other)`,
    invariants: [1, 5, 9]
  },
  {
    name: "number used twice after a restart",
    what: "A number is never used again, also after the Multicaster was restarted.",
    file: multicaster,
    find: `    capacity: queueCapacityMessages,`,
    replace:
      `    capacity: queueCapacityMessages, restarted: () => { stream.highest = Math.max(0, stream.highest - 1) },`,
    invariants: [1, 5, 9]
  },
  {
    name: "retention released before all acknowledged",
    what: "A datagram is kept for repeats until everybody has settled it.",
    file: multicaster,
    find: `const settled = FlowWindow.settledByAll(flow)`,
    replace: `const settled = SendStream.highest(stream)`,
    invariants: [7]
  },
  {
    name: "sent believed to wait",
    what: "A key that was sent and is written again is sent again.",
    file: "src/domain/Outbox.ts",
    find: `return place > 0 && place >= this.#oldestWaiting()`,
    replace: `return place > 0 && this.size > 0`,
    invariants: [1, 5, 9]
  },
  {
    name: "a waiting key that is deleted waits twice",
    what: "A record that takes the place of one that waits waits in its place.",
    file: replica,
    by: "test/domain/Outbox.test.ts",
    find: `  if (held !== undefined) tombstone.place = held.place`,
    replace: ``,
    invariants: [6]
  },
  {
    name: "a waiting key that is written anew waits twice",
    what: "A record that takes the place of one that waits waits in its place.",
    file: replica,
    by: "test/domain/Outbox.test.ts",
    find: `    if (held !== undefined) entry.place = held.place`,
    replace: ``,
    invariants: [6]
  },
  {
    name: "evicted-unsent not told",
    what: "What goes before it was sent is told: others may hold what it made old.",
    file: namespace,
    find: `if (writer === this.#host.self && this.#waits(key, record)) this.goneUnsent.set(key, clock)`,
    replace: ``,
    invariants: [1, 5, 9]
  },
  {
    name: "another's write told as gone",
    what: "What another member wrote is told by that one: under our id it would be a stamp that nobody gave out.",
    file: namespace,
    find: `if (writer === this.#host.self && this.#waits(key, record)) this.goneUnsent.set(key, clock)`,
    replace: `if (this.#waits(key, record)) this.goneUnsent.set(key, clock)`,
    invariants: [4]
  },
  {
    name: "computed and gone at once, untold",
    what: "What a computation made old elsewhere goes, also where its result found no room.",
    file: "src/services/Namespace.ts",
    by: "test/simulation/waits.test.ts",
    find: `record?.kind === "entry" ? 0 : filling.clock`,
    replace: `0`,
    invariants: [9]
  },
  {
    name: "clear that removed the unsent not told",
    what: "A flush covers what another's clear removed before it was sent.",
    file: "src/services/Namespace.ts",
    by: "test/simulation/waits.test.ts",
    find: `    this.outbox.addClear(clock, this.replica.records.size === 0 && this.goneUnsent.size === 0)`,
    replace: ``,
    invariants: [9]
  },
  {
    name: "overflow not told",
    what: "When the outbox overflows the others must repair from this member.",
    file: "src/services/Opening.ts",
    by: "test/simulation/waits.test.ts",
    find: `overflowed: multicaster.skip,`,
    replace: `overflowed: () => undefined,`,
    invariants: [1, 5, 9]
  },
  {
    name: "foreign write sent as one's own",
    what: "A record keeps its writer, whoever sends it.",
    file: "src/services/Drain.ts",
    find: `else pack(place, "PUT", name, record, `,
    replace:
      `else pack(place, "PUT", name, { key, clock: record.clock, expiresAt: record.expiresAt, crc: record.crc, writer: self }, `,
    invariants: [1, 4]
  },
  {
    name: "fill stamped at its end",
    what: "What was computed is as old as the beginning of its computation (rule 10).",
    file: namespace,
    find: `      clock: filling.clock,`,
    replace: `      clock: Replica.stamp(this.replica, this.#host.time.now()),`,
    invariants: [5]
  },
  {
    name: "fill stored although overtaken",
    what: "A computation that was overtaken by a write is not stored (rule 10).",
    file: namespace,
    find: `if (filling.touched) return false`,
    replace: ``,
    invariants: [2, 3, 5]
  },

  // ---------------------------------------------------------------------------------------------- flow
  {
    name: "window that never shrinks",
    what: "Loss halves the window, once per round trip.",
    file: flowWindow,
    by: "test/domain/FlowWindow.test.ts",
    find: `self.window = Math.max(Math.min(self.options.windowMin, creditMin(self)), Math.floor(self.window / 2))`,
    replace: ``,
    invariants: [7]
  },
  {
    name: "credit of zero",
    what: "A receiver always grants at least one datagram.",
    file: "src/services/Credit.ts",
    find: `return Math.max(1, Math.floor(Math.min(room, datagramsMax) / Math.max(1, active)))`,
    replace: `return 0`,
    invariants: [1, 5, 9]
  },
  {
    name: "laggard counted too early",
    what: "A member that lags counts again when it has settled what is not kept any more.",
    file: flowWindow,
    by: "test/domain/FlowWindow.test.ts",
    find: `if (known.lagging && known.settled >= lowest - 1) known.lagging = false`,
    replace: `known.lagging = false`,
    invariants: [7, 9]
  },
  {
    name: "laggard at once",
    what: "A member counts until it said nothing for a while.",
    file: flowWindow,
    by: "test/domain/FlowWindow.test.ts",
    find: `Math.max(4 * self.roundTripMillis, self.options.laggardMillis)`,
    replace: `0`,
    invariants: [6, 7, 9]
  },
  {
    name: "retention without bound",
    what: "What is kept for repeats is bounded.",
    file: "src/domain/SendStream.ts",
    by: "test/domain/SendStream.test.ts",
    find: `while (self.bytes > self.retainBytesMax && self.lowest < self.highest) drop(self)`,
    replace: ``,
    invariants: [6]
  },
  {
    name: "too large a value forgets what is to come",
    what: "What is too large for the taker raises its forget line only when all that is older has come.",
    file: repair,
    by: "test/domain/Repair.test.ts",
    find: `      self.outgrown.push(item)`,
    replace: `      replica.forget = Math.max(replica.forget, item.clock)`,
    invariants: [3]
  },
  {
    name: "requests that cannot be sent",
    what: "A WANT asks for no more keys than one may hold.",
    file: "src/services/Take.ts",
    by: "test/services/Take.test.ts",
    find: ` || keys.length >= wantKeysMax`,
    replace: ``,
    invariants: [10]
  },
  {
    name: "one gap given up after the other",
    what: "Gaps that are about as old are given up together: each holds up the sender's window.",
    file: receiveStream,
    by: "test/domain/ReceiveStream.test.ts",
    find: `abandonUpTo(self, Math.max(firstGapEnd(self), Math.min(self.missingUpTo, self.nackedUpTo)))`,
    replace: `abandonUpTo(self, firstGapEnd(self))`,
    invariants: [10]
  },
  {
    name: "barriers only when nothing waits",
    what: "A barrier has its number as soon as all before it was sent, whatever is written since.",
    file: multicaster,
    by: "test/services/McCacheService.waits.test.ts",
    find: `    if (barriers.active.size > 0) {`,
    replace: `    if (!drain.pending()) {`,
    invariants: [9]
  },
  {
    name: "places of what is packed forgotten",
    what: "What was taken from the outbox and has no number yet is not sent: no barrier passes it.",
    file: "src/services/Drain.ts",
    by: "test/services/McCacheService.waits.test.ts",
    find: `    let oldest = readyAt < ready.length ? Math.min(readyPlace, bodyPlace) : bodyPlace`,
    replace: `    let oldest = Infinity`,
    invariants: [9]
  },
  {
    name: "flush of what a start anew threw away",
    what: "Who waits for others to apply what is lost here fails, whatever it waits for at that moment.",
    file: "src/services/Waits.ts",
    by: "test/simulation/waits.test.ts",
    find: `      return Effect.raceFirst(both, Deferred.await(lost))`,
    replace: `      return both`,
    invariants: [9]
  },
  {
    name: "farewell without the last number",
    what: "Who missed what a leaver sent last, or could not send, takes its farewell for a death.",
    file: multicaster,
    by: "test/services/McCacheService.waits.test.ts",
    find: `[pulse(false), farewell]`,
    replace: `[farewell]`,
    invariants: [2]
  },
  {
    name: "counters of the former epoch",
    what: "A PROOF that was sealed in the next epoch tells counters of the former: they hold for nothing that follows.",
    file: sessions,
    by: "test/services/Sessions.test.ts",
    find: `const isOfEpoch = proof.unicast < header.counter`,
    replace: `const isOfEpoch = true`,
    invariants: [3]
  },
  {
    name: "the rest of a record that was given up",
    what: "No part counts as taken of a record whose first parts were dropped.",
    file: "src/domain/Reassembly.ts",
    by: "test/domain/Reassembly.test.ts",
    find: `  if (known === undefined && recordId <= self.givenUp) return { _tag: "Full" }`,
    replace: ``,
    invariants: [9]
  },
  {
    name: "reassembly never freed",
    what: "A record that is whole, or given up, gives its memory back.",
    file: "src/domain/Reassembly.ts",
    find: `  self.budget.used -= partial.chargedBytes`,
    replace: ``,
    invariants: [6]
  },
  {
    name: "reassembly without its check",
    what: "A reassembled record is compared with its checksum.",
    file: "src/domain/Reassembly.ts",
    by: "test/domain/Reassembly.test.ts",
    find: `return checksum(partial.record) === crc ? { _tag: "Whole", record: partial.record } : { _tag: "Corrupt" }`,
    replace: `return { _tag: "Whole", record: partial.record }`,
    invariants: [4]
  },

  // ---------------------------------------------------------------------------------------------- security
  {
    name: "corruption not noticed",
    what: "A datagram that was changed on its way is refused.",
    file: "src/services/Sealing.ts",
    find: `if (read32(datagram, datagram.length - crcBytes) !== checksum(datagram, receiver)) return "unauthentic"`,
    replace: ``,
    invariants: [2, 4, 8]
  },
  {
    name: "nonce used twice",
    what: "No counter is used twice under one key.",
    file: "src/services/Sealing.ts",
    find: `counter: receiver === undefined ? multicast++ : unicast++`,
    replace: `counter: receiver === undefined ? multicast++ : unicast++ | 1`,
    invariants: [8]
  },
  {
    name: "one counter used once more",
    what: "No counter is used twice under one key, not even one of a whole session.",
    file: "src/services/Sealing.ts",
    find: `counter: receiver === undefined ? multicast++ : unicast++`,
    replace: `counter: receiver === undefined ? (multicast === 9 ? (multicast += 1) - 2 : multicast++) : unicast++`,
    invariants: [8]
  },
  {
    name: "replay window off by one",
    what: "The newest datagram is accepted once, as any other.",
    file: "src/domain/ReplayWindow.ts",
    find: `if (counter > self.top) return true`,
    replace: `if (counter >= self.top) return true`,
    invariants: [8]
  },
  {
    name: "replays accepted",
    what: "Each counter of a session is accepted once.",
    file: sessions,
    find: `if (!ReplayWindow.check(window, header.counter)) return false`,
    replace: ``,
    invariants: [8]
  },
  {
    name: "one window for both casts",
    what: "Unicast and multicast have counters, and windows, of their own.",
    file: sessions,
    find: `const window = header.unicast ? windows.unicast : windows.multicast`,
    replace: `const window = windows.multicast`,
    invariants: [1, 8, 9]
  },
  {
    name: "lost proof not noticed",
    what: "Who is known, and announces itself still, is told that this member is there.",
    file: housekeeper,
    by: "test/simulation/join.test.ts",
    find: `if (now <= member.metMillis || multicaster.lagOf(member.id) !== undefined) return`,
    replace: `if (member.id !== "") return`,
    invariants: [7, 9]
  },
  {
    name: "proof not bound to the challenge",
    what: "A proof echoes the challenge that it answers.",
    file: sessions,
    find:
      `if (sender === undefined || sender.nonce.length !== 16 || !equal(sender.nonce, proof.echo)) return undefined`,
    replace: `if (sender === undefined) return undefined`,
    invariants: [8]
  },
  {
    name: "sessions without bound",
    what: "Strangers are bounded in number.",
    file: sessions,
    by: "test/simulation/attacker.test.ts",
    find: `if (self.strangers.size >= self.protocol.sessionsMax) {`,
    replace: `if (self.strangers.size < 0) {`,
    invariants: [6]
  },
  {
    name: "former epoch accepted for ever",
    what: "Keys of a former epoch are accepted for a few seconds only.",
    file: "src/services/Sealing.ts",
    by: "test/services/Sealing.epochs.test.ts",
    find: `if (header.epoch !== known.formerEpoch || options.nowMillis() > known.formerUntil) return "unauthentic"`,
    replace: ``,
    invariants: [8]
  },

  // ---------------------------------------------------------------------------------------------- members
  {
    name: "membership never times out",
    what: "A member of which nothing is heard is removed.",
    file: "src/domain/Membership.ts",
    find: `if (silence >= self.timings.removeMillis) {`,
    replace: `if (silence < 0) {`,
    invariants: [6, 7, 9]
  },
  {
    name: "death not noticed by the streams",
    what: "What is missing of a member that was removed is waited for no more.",
    file: housekeeper,
    find: `    host.listener().forget(member.id)`,
    replace: ``,
    invariants: [1, 6, 7, 9]
  },
  {
    name: "farewell ignored",
    what: "A member that says that it leaves is removed at once.",
    file: housekeeper,
    find: `        remove(member, "left")`,
    replace: ``,
    invariants: [6, 7, 9]
  },
  {
    name: "clear does not reach namespaces opened later",
    what: "A clear of all namespaces raises the floor also of those that are opened later.",
    file: namespace,
    by: "test/services/McCacheService.test.ts",
    find: `if (settings.floor > 0) this.#clearTo(settings.floor, "repair")`,
    replace: ``,
    invariants: [2]
  },
  {
    name: "clear of all not kept",
    what: "A clear of all namespaces is told with every heartbeat, for who missed it.",
    file: "src/services/Member.ts",
    find: `    for (const namespace of namespaces.values()) namespace.clearWith(clear)`,
    replace: ``,
    invariants: [1, 2, 5, 9]
  },
  {
    name: "median clock ignored",
    what: "A member whose clock is far off goes by the others' median.",
    file: "src/domain/Membership.ts",
    find: `return Math.abs(median) <= keep ? 0 : median`,
    replace: `return 0`,
    invariants: [1, 2, 5]
  },
  {
    name: "logical clock of the others ignored",
    what: "What is written here is newer than what a member that is known here wrote before.",
    file: "src/services/OthersClocks.ts",
    by: "test/simulation/join.test.ts",
    find: `      HybridClock.follow(clock, theirs, time.now())`,
    replace: ``,
    invariants: [5]
  },
  {
    name: "a fiber that fails now and then",
    what: "A fiber of a member fails only when it is killed.",
    file: antiEntropy,
    find: `    const times = (state.differing.get(member.id) ?? 0) + 1`,
    replace: `    if (host.random() < 0.02) throw new Error("of a mutant")
    const times = (state.differing.get(member.id) ?? 0) + 1`,
    invariants: [10]
  },
  {
    name: "entries counted wrong",
    what: "What is counted is what is held.",
    file: holdings,
    find: `    self.size--
    self.bytes -= record.bytes`,
    replace: `    self.size -= record.bytes > 60 && self.size > 3 ? 2 : 1
    self.bytes -= record.bytes`,
    invariants: [6]
  },
  {
    name: "randomness of the process",
    what: "All chance comes from the random service, so that a seed decides it.",
    file: "src/services/Member.ts",
    find: `const random = (): number => randomness.nextDoubleUnsafe()`,
    replace: `const random = (): number => Math.random()`,
    invariants: [11]
  },
  {
    name: "listeners inside the fold",
    what: "What a listener writes is folded after the write that it hears of, not inside its fold.",
    file: "src/services/Subscribers.ts",
    by: "test/services/Cache.changes.test.ts",
    find: `(values) => Effect.as(Effect.yieldNow, values)`,
    replace: `(values) => Effect.succeed(values)`,
    invariants: [2]
  },
  {
    name: "refused asked of its writer only",
    what: "In mode 0 a write that was refused as too far ahead is asked of all, as its writer may have started anew.",
    file: antiEntropy,
    by: "test/simulation/healing.test.ts",
    find: `if (refused && namespace.options.mode === 0) checkAll(state, now)`,
    replace: ``,
    invariants: [5]
  },
  {
    name: "the newest given up with the oldest",
    what: "While writes go on that are refused as too far ahead, only those are given up that were refused long ago.",
    file: antiEntropy,
    by: "test/simulation/waits.test.ts",
    find: `      if (aheadMillis > 0) gap.upTo = gap.found`,
    replace: ``,
    invariants: [9]
  },
  {
    name: "a body that leans on the one before",
    what: "Each body can be read without any other: what is lost or late makes nothing else unreadable.",
    file: "src/services/Drain.ts",
    by: "test/simulation/bodies.test.ts",
    find: `    if (packer.isEmpty) writes.startBody()`,
    replace: ``,
    invariants: [2]
  },
  {
    name: "read on behind what is malformed",
    what: "What follows a write that is malformed has nothing to lean on: it would be read as another.",
    file: "src/domain/WriteCodec.ts",
    by: "test/domain/WriteCodec.test.ts",
    find: `  preceding.forget()
  if (to`,
    replace: `  if (to`,
    invariants: [1]
  },
  {
    name: "kept until the next heartbeat",
    what: "What everybody has settled is not kept for repeats.",
    file: multicaster,
    by: "test/simulation/bodies.test.ts",
    find: `          releaseDue = now
`,
    replace: ``,
    invariants: [6]
  }
]
