/** The types of `mccache`, as an Effect program's compiler sees them. Checked by `npm run types`; nothing here runs. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import {
  type AckTimeout,
  type Cache,
  type CacheOptions,
  type Change,
  type ClusterEvent,
  type Key,
  McCache,
  type McCacheError,
  type McCacheService,
  type MemberInfo,
  type Reason
} from "mccache"
import type { Network } from "mccache/testing"
import { describe, expect, test } from "tstyche"

interface User {
  readonly name: string
}

declare const mccache: McCacheService
declare const users: Cache<User>

describe("McCache", () => {
  test("is a service that a layer provides, and what may fail is in its type", () => {
    expect(Effect.map(McCache, (service) => service)).type.toBe<Effect.Effect<McCacheService, never, McCache>>()
    expect(McCache.layer()).type.toBe<Layer.Layer<McCache, McCacheError>>()
    expect(McCache.layer({ cluster: "shop", unref: true })).type.toBe<Layer.Layer<McCache, McCacheError>>()
    expect(McCache.layerConfig).type.toBe<Layer.Layer<McCache, McCacheError>>()
    expect(McCache.layerNetwork()).type.toBe<Layer.Layer<McCache, McCacheError, Network>>()
    expect(McCache.layer).type.not.toBeCallableWith({ clusterName: "shop" })
  })

  test("opens caches whose values have the type of the Schema, the type asked for, or unknown", () => {
    const value = Schema.Struct({ name: Schema.String, joined: Schema.DateFromString })
    expect(mccache.cache("users", { value })).type.toBe<
      Effect.Effect<Cache<{ readonly name: string; readonly joined: Date }>, McCacheError>
    >()
    expect(mccache.cache<User>("users")).type.toBe<Effect.Effect<Cache<User>, McCacheError>>()
    expect(mccache.cache()).type.toBe<Effect.Effect<Cache<unknown>, McCacheError>>()
    expect(mccache.cache<User>).type.not.toBeCallableWith("users", { value: Schema.String })
    expect<CacheOptions<User>>().type.toBe<Readonly<CacheOptions<User>>>()
  })

  test("describes the cluster by read-only data and streams", () => {
    expect(mccache.members).type.toBe<Effect.Effect<ReadonlyArray<MemberInfo>, McCacheError>>()
    expect<MemberInfo>().type.toBe<Readonly<MemberInfo>>()
    expect(mccache.events).type.toBe<Stream.Stream<ClusterEvent>>()
    expect(mccache.ready).type.toBe<Effect.Effect<void, McCacheError>>()
    expect<McCacheService>().type.toBe<Readonly<McCacheService>>()
  })
})

describe("a cache", () => {
  test("has keys that are strings or numbers, nothing else", () => {
    expect<Key>().type.toBe<string | number>()
    expect(users.get).type.toBeCallableWith(42)
    expect(users.get).type.not.toBeCallableWith(42n)
    expect(users.get).type.not.toBeCallableWith(["42"])
    expect(users.has).type.not.toBeCallableWith(undefined)
  })

  test("answers with options, and fails with McCacheError only", () => {
    expect(users.get("42")).type.toBe<Effect.Effect<Option.Option<User>, McCacheError>>()
    expect(users.peek("42")).type.toBe<Effect.Effect<Option.Option<User>, McCacheError>>()
    expect(users.getUnsafe("42")).type.toBe<User | undefined>()
    expect(users.set("42", { name: "Ada" }, { ack: "all" })).type.toBe<Effect.Effect<void, McCacheError>>()
    expect(users.set).type.not.toBeCallableWith("42", { age: 36 })
    expect(users.delete("42")).type.toBe<Effect.Effect<boolean, McCacheError>>()
    expect(users.changes).type.toBe<Stream.Stream<Change>>()
    expect<Cache<User>>().type.toBe<Readonly<Cache<User>>>()
  })

  test("computes with the errors and the services of the computation", () => {
    class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
    const compute = Effect.flatMap(McCache, (): Effect.Effect<User, NotFound> => Effect.fail(new NotFound()))
    expect(users.getOrSet("42", compute)).type.toBe<Effect.Effect<User, NotFound | McCacheError, McCache>>()
    expect(users.getOrSet("42", Effect.succeed({ name: "Ada" }))).type.toBe<Effect.Effect<User, McCacheError>>()
    expect(users.getOrSet).type.not.toBeCallableWith("42", Effect.succeed(36))
  })
})

test("an error is caught by its tag, and told apart by its reason", () => {
  const caught = users.get("42").pipe(Effect.catchTag("McCacheError", (error) => {
    expect(error).type.toBe<McCacheError>()
    expect(error.reason).type.toBe<Reason>()
    if (error.reason._tag === "AckTimeout") expect(error.reason).type.toBe<AckTimeout>()
    return Effect.succeed("none")
  }))
  expect(caught).type.toBe<Effect.Effect<string | Option.Option<User>>>()
})
