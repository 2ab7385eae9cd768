/** Every metric that McCache has. `docs/telemetry.md` shows this table; a test keeps it equal. */
import * as Operation from "../domain/Operation.ts"
import * as Counters from "./Counters.ts"
import type { MemberInfo } from "./Gather.ts"
import {
  counter,
  type Definition,
  gauge,
  histogram,
  type MetricSources,
  type Reading,
  type Readings
} from "./MetricDefinition.ts"
import { ofActors, ofNamespaces } from "./NamespaceMetricTable.ts"

/** A figure of the member. */
const one = (pick: (from: MetricSources) => number): Readings<number> => ({
  ofMember: (from) => [[{}, () => pick(from)]]
})

/** A figure in both directions. */
const ways = (
  into: (counters: Counters.Counters) => number,
  out: (counters: Counters.Counters) => number
): Readings<number> => ({
  ofMember: ({ counters }) => [
    [{ direction: "in" }, () => into(counters)],
    [{ direction: "out" }, () => out(counters)]
  ]
})

const states: ReadonlyArray<MemberInfo["state"]> = ["self", "joining", "ready", "suspect", "lagging"]

const ofNetwork: ReadonlyArray<Definition> = [
  counter("mccache_operations_total", "{operation}", "Operations received and sent.", ["operation", "direction"], {
    ofMember: ({ counters }) =>
      Object.keys(Operation.tags).flatMap((operation): ReadonlyArray<Reading<number>> => [
        [{ operation, direction: "in" }, () => counters.operationsIn[operation] ?? 0],
        [{ operation, direction: "out" }, () => counters.operationsOut[operation] ?? 0]
      ])
  }),
  counter(
    "mccache_datagrams_total",
    "{datagram}",
    "Datagrams received and sent.",
    ["direction"],
    ways((counters) => counters.datagramsIn, (counters) => counters.datagramsOut)
  ),
  counter(
    "mccache_datagrams_bytes_total",
    "By",
    "Payload of the datagrams received and sent.",
    ["direction"],
    ways((counters) => counters.bytesIn, (counters) => counters.bytesOut)
  ),
  counter(
    "mccache_datagrams_lost_total",
    "{datagram}",
    "Datagrams of others that were found missing here; most are repaired within milliseconds.",
    [],
    one(({ counters }) => counters.lost)
  ),
  counter(
    "mccache_datagrams_repaired_total",
    "{datagram}",
    "Datagrams sent again because another member missed them.",
    [],
    one(({ counters }) => counters.repaired)
  ),
  counter(
    "mccache_datagrams_abandoned_total",
    "{datagram}",
    "Missing datagrams that were given up and left to repair by digests.",
    [],
    one(({ counters }) => counters.abandoned)
  ),
  counter(
    "mccache_datagrams_duplicate_total",
    "{datagram}",
    "Datagrams that were here already.",
    [],
    one(({ counters }) => counters.duplicates)
  ),
  counter(
    "mccache_receive_overflow_total",
    "{datagram}",
    "Datagrams that the kernel dropped because the socket's receive buffer was full (Linux).",
    [],
    one(({ network }) => network.drops().receiveOverflow)
  ),
  counter(
    "mccache_send_failures_total",
    "{datagram}",
    "Datagrams that the system refused to send.",
    [],
    one(({ network }) => network.drops().sendFailures)
  ),
  counter("mccache_refused_total", "1", "What was refused of what came from the network.", ["reason"], {
    ofMember: ({ counters }) => Counters.refusals.map((reason) => [{ reason }, () => counters.refused[reason]])
  }),
  counter(
    "mccache_opened_by_key_total",
    "{datagram}",
    "Datagrams opened with each key, by key id: one whose count stands still can be dropped.",
    ["key"],
    {
      ofMember: ({ sealing }) =>
        Array.from(sealing.opened.keys(), (id) => [
          { key: id.toString(16).padStart(8, "0") },
          () => sealing.opened.get(id) ?? 0
        ])
    }
  ),
  gauge(
    "mccache_window_datagrams",
    "{datagram}",
    "Datagrams that may be under way at once.",
    [],
    one(({ multicaster }) => multicaster.windowDatagrams())
  ),
  gauge(
    "mccache_credit_datagrams",
    "{datagram}",
    "Datagrams that this member offers to take in.",
    [],
    one(({ listener }) => listener.creditDatagrams())
  ),
  gauge(
    "mccache_retained_bytes",
    "By",
    "Sent datagrams that are kept to be sent again.",
    [],
    one(({ multicaster }) => multicaster.retainedBytes())
  ),
  gauge(
    "mccache_reassembly_bytes",
    "By",
    "Room for large values of which parts have come, but not all.",
    [],
    one(({ listener }) => listener.reassemblyBytes())
  ),
  gauge(
    "mccache_strangers",
    "{member}",
    "Senders that have not proved themselves yet.",
    [],
    one(({ listener }) => listener.strangers())
  ),
  gauge(
    "mccache_parked_datagrams",
    "{datagram}",
    "Datagrams that wait until their sender has proved itself.",
    [],
    one(({ listener }) => listener.parkedDatagrams())
  )
]

const ofCoherence: ReadonlyArray<Definition> = [
  gauge("mccache_members", "{member}", "Members that this one sees, itself among them, by state.", ["state"], {
    ofMember: ({ members }) =>
      states.map((state) => [{ state }, () => members().filter((member) => member.state === state).length])
  }),
  gauge(
    "mccache_lag_datagrams",
    "{datagram}",
    "Datagrams of this member that the slowest other one has not settled yet.",
    [],
    one(({ members }) => members().reduce((most, { lag }) => Math.max(most, lag), 0))
  ),
  histogram(
    "mccache_propagation_seconds",
    "s",
    "From the stamp of another member's write to its fold here, one per datagram; clock skew between the hosts is in it.",
    [],
    Counters.Histogram.boundariesSeconds,
    { ofMember: ({ counters }) => [[{}, () => counters.propagation.state()]] }
  ),
  counter(
    "mccache_joins_total",
    "{transfer}",
    "Transfers of a namespace from another member, begun.",
    [],
    one(({ counters }) => counters.joins)
  ),
  counter(
    "mccache_repair_rounds_total",
    "{round}",
    "Comparisons of a namespace with another member, begun.",
    [],
    one(({ counters }) => counters.repairRounds)
  ),
  counter(
    "mccache_repaired_records_total",
    "{record}",
    "Records that joins and repairs brought.",
    [],
    one(({ counters }) => counters.repairedRecords)
  ),
  counter(
    "mccache_outbox_overflows_total",
    "{event}",
    "Local writes that no longer fit the outbox; the others get them by repair.",
    [],
    one(({ counters }) => counters.outboxOverflows)
  ),
  counter(
    "mccache_callback_failures_total",
    "{call}",
    "Calls of onChange that threw.",
    [],
    one(({ counters }) => counters.callbackFailures)
  ),
  counter(
    "mccache_undecodable_total",
    "{lookup}",
    "Lookups of values whose bytes the namespace's Schema does not take: they read as misses.",
    [],
    one(({ counters }) => counters.undecodable)
  ),
  counter(
    "mccache_changes_dropped_total",
    "{change}",
    "Changes that a subscriber fell too far behind for.",
    [],
    one(({ counters }) => counters.changesDropped)
  ),
  gauge(
    "mccache_clock_correction_seconds",
    "s",
    "What is added to this host's clock to agree with the others.",
    [],
    one(({ time }) => time.correctionMillis() / 1_000)
  ),
  gauge(
    "mccache_clock_skew_seconds",
    "s",
    "The greatest difference of another member's clock from this one's, without its sign.",
    [],
    one(({ members }) =>
      members().reduce((most, { clockSkewMillis }) => Math.max(most, Math.abs(clockSkewMillis)), 0) / 1_000
    )
  )
]

const ofProcess: ReadonlyArray<Definition> = [
  gauge("mccache_info", "1", "Always 1; its attribute is the version of McCache.", ["version"], {
    ofMember: ({ version }) => [[{ version }, () => 1]]
  }),
  gauge("mccache_host_load", "1", "The host's load average over one minute.", [], one(({ host }) => host.usage().load)),
  counter(
    "mccache_process_cpu_seconds_total",
    "s",
    "Processor time of the whole process.",
    [],
    one(({ host }) => host.usage().cpuMillis / 1_000)
  ),
  gauge(
    "mccache_process_resident_bytes",
    "By",
    "Resident memory of the whole process.",
    [],
    one(({ host }) => host.usage().residentBytes)
  ),
  gauge(
    "mccache_process_heap_bytes",
    "By",
    "Used heap of the whole process.",
    [],
    one(({ host }) => host.usage().heapBytes)
  )
]

/** All metrics, in the order of the documents. */
export const definitions: ReadonlyArray<Definition> = [
  ...ofNamespaces,
  ...ofCoherence,
  ...ofNetwork,
  ...ofActors,
  ...ofProcess
]
