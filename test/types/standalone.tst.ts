/** The types of `mccache/standalone`, as a user's compiler sees them. Checked by `npm run types`; nothing here runs. */
import * as Schema from "effect/Schema"
import {
  type Change,
  type ClusterEvent,
  type Flushed,
  type Gathered,
  type Key,
  McCacheError,
  type MemberInfo,
  type MemberMetrics,
  type Metadata,
  open,
  type Options,
  type Standalone,
  type StandaloneCache
} from "mccache/standalone"
import { describe, expect, test } from "tstyche"

interface User {
  readonly name: string
}

declare const mccache: Standalone
declare const needy: Schema.Codec<User, string, "a service">
declare const users: StandaloneCache<User>

describe("open", () => {
  test("takes options, none of which is required, and gives a Promise", () => {
    expect(open()).type.toBe<Promise<Standalone>>()
    expect(open).type.toBeCallableWith({ cluster: "shop", cacheTtl: "10 minutes", cacheMode: 2, unref: true })
    expect(open).type.toBeCallableWith({ cacheTtl: 600, cacheEviction: undefined, protocol: { heartbeatMillis: 500 } })
  })

  test("refuses what is no option, and values that are none", () => {
    expect(open).type.not.toBeCallableWith({ cacheTTL: 600 })
    expect(open).type.not.toBeCallableWith({ cacheMode: 3 })
    expect(open).type.not.toBeCallableWith({ cacheCollision: "newest" })
    expect(open).type.not.toBeCallableWith({ cacheMax: "256" })
    expect(open).type.not.toBeCallableWith({ cacheTtl: "10 parsecs" })
    expect(open).type.not.toBeCallableWith({ protocol: { heartbeat: 500 } })
  })

  test("options can be written once and are read-only", () => {
    expect<Options>().type.toBeAssignableFrom<Readonly<Options>>()
    expect<Options>().type.toBe<Readonly<Options>>()
  })
})

describe("cache", () => {
  test("has the type of value that was asked for, and else unknown", () => {
    expect(mccache.cache<User>("users")).type.toBe<StandaloneCache<User>>()
    expect(mccache.cache("anything")).type.toBe<StandaloneCache<unknown>>()
    expect(mccache.cache()).type.toBe<StandaloneCache<unknown>>()
  })

  test("takes the type of value from a Schema", () => {
    const value = Schema.Struct({ name: Schema.String, joined: Schema.Date })
    expect(mccache.cache("users", { value })).type.toBe<
      StandaloneCache<{ readonly name: string; readonly joined: Date }>
    >()
    class Person extends Schema.Class<Person>("Person")({ name: Schema.String }) {}
    expect(mccache.cache("people", { value: Person })).type.toBe<StandaloneCache<Person>>()
  })

  test("refuses a Schema of something else, one that needs services, and options that are none", () => {
    expect(mccache.cache<User>).type.not.toBeCallableWith("users", { value: needy })
    expect(mccache.cache<User>).type.not.toBeCallableWith("users", { value: Schema.Number })
    expect(mccache.cache).type.not.toBeCallableWith("users", { mode: 4 })
    expect(mccache.cache).type.not.toBeCallableWith("users", { maximum: 4 })
    expect(mccache.cache).type.not.toBeCallableWith(7)
  })
})

describe("a cache", () => {
  test("has keys that are strings or numbers, nothing else", () => {
    expect<Key>().type.toBe<string | number>()
    expect(users.get).type.toBeCallableWith("42")
    expect(users.get).type.toBeCallableWith(42)
    expect(users.get).type.not.toBeCallableWith(42n)
    expect(users.get).type.not.toBeCallableWith(Symbol.iterator)
    expect(users.get).type.not.toBeCallableWith({ id: 42 })
    expect(users.get).type.not.toBeCallableWith(undefined)
    expect(users.set).type.not.toBeCallableWith(null, { name: "Ada" })
    expect(users.setMany).type.not.toBeCallableWith([[true, { name: "Ada" }]])
  })

  test("reads values that may be missing, at once", () => {
    expect(users.get("42")).type.toBe<User | undefined>()
    expect(users.peek("42")).type.toBe<User | undefined>()
    expect(users.pop("42")).type.toBe<User | undefined>()
    expect(users.popItem()).type.toBe<[Key, User] | undefined>()
    expect(users.setDefault("42", { name: "Ada" })).type.toBe<User>()
    expect(users.has("42")).type.toBe<boolean>()
    expect(users.delete("42")).type.toBe<boolean>()
    expect(users.metadata("42")).type.toBe<Metadata | undefined>()
  })

  test("takes values of its type only", () => {
    expect(users.set).type.toBeCallableWith("42", { name: "Ada" })
    expect(users.set).type.not.toBeCallableWith("42", { name: 1 })
    expect(users.set).type.not.toBeCallableWith("42")
    expect(users.getOrSet).type.not.toBeCallableWith("42", () => 1)
  })

  test("writes at once, and gives a Promise only when members are waited for", () => {
    expect(users.set("42", { name: "Ada" })).type.toBe<StandaloneCache<User>>()
    expect(users.set("42", { name: "Ada" }, { ttl: 30 })).type.toBe<StandaloneCache<User>>()
    expect(users.set("42", { name: "Ada" }, { ttl: "1 hour", ack: "all" })).type.toBe<Promise<StandaloneCache<User>>>()
    expect(users.set("42", { name: "Ada" }, { ack: 2 })).type.toBe<Promise<StandaloneCache<User>>>()
    expect(users.setMany([["42", { name: "Ada" }]])).type.toBe<StandaloneCache<User>>()
    expect(users.setMany([["42", { name: "Ada" }]], { ack: "majority" })).type.toBe<Promise<StandaloneCache<User>>>()
    expect(users.set).type.not.toBeCallableWith("42", { name: "Ada" }, { ack: "some" })
  })

  test("computes with plain functions and with Promises", () => {
    expect(users.getOrSet("42", () => ({ name: "Ada" }))).type.toBe<Promise<User>>()
    expect(users.getOrSet("42", async () => ({ name: "Ada" }), { ttl: 60 })).type.toBe<Promise<User>>()
  })

  test("is iterated as a Map, and its properties cannot be set", () => {
    expect([...users]).type.toBe<Array<[Key, User]>>()
    expect(new Map(users)).type.toBe<Map<Key, User>>()
    users.forEach((value, key, cache) => {
      expect(value).type.toBe<User>()
      expect(key).type.toBe<Key>()
      expect(cache).type.toBe<StandaloneCache<User>>()
    })
    expect(users.size).type.toBe<number>()
    expect<Pick<StandaloneCache<User>, "size" | "bytes" | "name">>().type.toBe<
      { readonly size: number; readonly bytes: number; readonly name: string }
    >()
  })

  test("tells of changes, and has no other events", () => {
    expect(users.on).type.toBeCallableWith("change", (change: Change) => change.key)
    expect(users.on).type.not.toBeCallableWith("delete", () => undefined)
    expect(mccache.on).type.toBeCallableWith("event", (event: ClusterEvent) => event.type)
    expect<Change>().type.toBe<Readonly<Change>>()
    expect<Change["type"]>().type.toBe<"set" | "delete" | "clear" | "expire" | "evict" | "incoherent">()
  })
})

describe("the cluster", () => {
  test("gives Promises where it waits, and plain values where it does not", () => {
    expect(mccache.members()).type.toBe<ReadonlyArray<MemberInfo>>()
    expect(mccache.localMetrics()).type.toBe<MemberMetrics>()
    expect(mccache.localChecksum("users", 42)).type.toBe<string | undefined>()
    expect(mccache.flush({ timeout: 5 })).type.toBe<Promise<Flushed>>()
    expect(mccache.ready()).type.toBe<Promise<void>>()
    expect(mccache.clear({ node: "host:1" })).type.toBe<Promise<void>>()
    expect(mccache.clusterMetrics()).type.toBe<Promise<Gathered<MemberMetrics>>>()
    expect(mccache.clusterChecksum({ name: "users", key: 42 })).type.toBe<Promise<Gathered<string | undefined>>>()
    expect(mccache.close()).type.toBe<Promise<void>>()
  })

  test("is disposed of by await using", () => {
    expect(mccache).type.toBeAssignableTo<AsyncDisposable>()
  })
})

test("an error says by its reason what was wrong", () => {
  const error: unknown = new Error()
  if (error instanceof McCacheError) {
    expect(error.message).type.toBe<string>()
    expect(error.reason._tag).type.toBe<
      | "InvalidKey"
      | "Unencodable"
      | "ValueTooLarge"
      | "InvalidConfig"
      | "OptionsConflict"
      | "AckTimeout"
      | "Closed"
      | "NetworkFailed"
    >()
  }
})
