/** The metrics of namespaces, and of the actors, of which each namespace has one. */
import { metricsOf, type NamespaceMetrics } from "./CacheCore.ts"
import { counter, type Definition, gauge, type Readings } from "./MetricDefinition.ts"
import type { Namespace } from "./Namespace.ts"

/** A figure of each namespace. */
const each = (pick: (metrics: NamespaceMetrics) => number): Readings<number> => ({
  ofNamespace: (namespace) => [[{ namespace: namespace.name }, () => pick(metricsOf(namespace))]]
})

/** A figure of every actor: the three of the member, and the one of each namespace. */
const actors = (pick: (depth: ReturnType<Namespace["inbox"]["depth"]>) => number): Readings<number> => ({
  ofMember: ({ housekeeper, listener, multicaster }) =>
    [multicaster.actor, listener.actor, housekeeper.actor].map((actor) => [
      { actor: actor.name },
      () => pick(actor.depth())
    ]),
  ofNamespace: ({ inbox, name }) => [[{ actor: "namespace", namespace: name }, () => pick(inbox.depth())]]
})

export const ofNamespaces: ReadonlyArray<Definition> = [
  gauge("mccache_entries", "{entry}", "Entries held.", ["namespace"], each(({ count }) => count)),
  gauge("mccache_entries_bytes", "By", "Encoded keys and values held.", ["namespace"], each(({ size }) => size)),
  counter("mccache_lookups_total", "{lookup}", "Lookups, hits and misses.", ["namespace"], each((m) => m.lookups)),
  counter("mccache_misses_total", "{lookup}", "Lookups that found nothing.", ["namespace"], each((m) => m.misses)),
  counter(
    "mccache_inserts_total",
    "{entry}",
    "Entries that are new here, written here or elsewhere.",
    ["namespace"],
    each((m) => m.inserts)
  ),
  counter(
    "mccache_updates_total",
    "{entry}",
    "Entries replaced by a newer one, written here or elsewhere.",
    ["namespace"],
    each((m) => m.updates)
  ),
  counter(
    "mccache_deletes_total",
    "{entry}",
    "Entries deleted, here or elsewhere.",
    ["namespace"],
    each((m) => m.deletes)
  ),
  counter(
    "mccache_evicts_total",
    "{entry}",
    "Entries that left because the namespace was full.",
    ["namespace"],
    each((m) => m.evicts)
  ),
  counter(
    "mccache_expired_total",
    "{entry}",
    "Entries whose time to live was over.",
    ["namespace"],
    each((m) => m.expired)
  ),
  counter(
    "mccache_collisions_total",
    "{collision}",
    "Concurrent writes of one key.",
    ["namespace"],
    each((m) => m.collisions)
  ),
  counter(
    "mccache_incoherent_total",
    "{change}",
    "Keys that were looked up here within the callback window, and then changed by a repair or a collision.",
    ["namespace"],
    each((m) => m.incoherent)
  ),
  counter(
    "mccache_spikes_total",
    "{change}",
    "Changes within the callback window of the one before.",
    ["namespace"],
    each((m) => m.spikes)
  ),
  gauge(
    "mccache_spike_interval_seconds",
    "s",
    "Mean time between a change and the one before it, over the spikes since the start.",
    ["namespace"],
    each((m) => m.spikeInterval / 1_000)
  ),
  gauge(
    "mccache_tombstones",
    "{record}",
    "Deleted keys that are remembered, so that they do not come back.",
    ["namespace"],
    each((m) => m.tombstones)
  ),
  gauge(
    "mccache_outbox_events",
    "{event}",
    "Local writes that wait to be sent.",
    ["namespace"],
    each((m) => m.outbox)
  ),
  gauge(
    "mccache_caught_up",
    "1",
    "1 when the namespace has caught up with the cluster, 0 while it is transferred.",
    ["namespace"],
    each((m) => m.caughtUp ? 1 : 0)
  )
]

export const ofActors: ReadonlyArray<Definition> = [
  gauge(
    "mccache_queue_depth",
    "{message}",
    "Messages in an actor's queue.",
    ["actor", "namespace"],
    actors(({ now }) => now)
  ),
  gauge(
    "mccache_queue_depth_max",
    "{message}",
    "The most messages that an actor's queue held since the start.",
    ["actor", "namespace"],
    actors(({ max }) => max)
  ),
  gauge(
    "mccache_queue_depth_average",
    "{message}",
    "Messages that an actor found in its queue, on average since the start.",
    ["actor", "namespace"],
    actors(({ average }) => average)
  ),
  counter(
    "mccache_queue_dropped_total",
    "{message}",
    "Messages dropped because an actor's queue was full; they are repeated or repaired.",
    ["actor", "namespace"],
    actors(({ dropped }) => dropped)
  ),
  counter("mccache_restarts_total", "{restart}", "Fibers that died and were started anew.", ["actor", "namespace"], {
    ofMember: ({ housekeeper, listener, multicaster }) =>
      [multicaster.actor, listener.actor, listener.pump, housekeeper.actor].map((fiber) => [
        { actor: fiber.name },
        () => fiber.restarts()
      ]),
    ofNamespace: ({ inbox, name }) => [[{ actor: "namespace", namespace: name }, () => inbox.restarts()]]
  })
]
