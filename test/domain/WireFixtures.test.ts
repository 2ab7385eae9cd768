/**
 * A second reading of `docs/protocol.md`, section by section: what it says is done here by hand, with nothing of `src`, and
 * compared with the fixtures and with what `src` makes. `OperationCodec.test.ts` and `Sealing.test.ts` hold `src` to the
 * fixtures of operations and datagrams; those of bodies and answers are held here.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import { createDecipheriv, createHash, hkdfSync } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { crc32 } from "node:zlib"
import * as Framing from "../../src/domain/Framing.ts"
import { tags } from "../../src/domain/Operation.ts"
import * as OperationCodec from "../../src/domain/OperationCodec.ts"
import * as Stamp from "../../src/domain/Stamp.ts"
import * as WriteCodec from "../../src/domain/WriteCodec.ts"
import { dataBody } from "./support/Bodies.ts"

const wire = new URL("../fixtures/wire/", import.meta.url)
const goldens = (name: string): { readonly [name: string]: string } =>
  JSON.parse(readFileSync(new URL(name, wire), "utf8"))
const hexFile = (name: string): string => readFileSync(new URL(`${name}.hex`, wire), "utf8").replaceAll(/\s/g, "")
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const utf8 = (text: string): Buffer => Buffer.from(text, "utf8")

const ada = "a".repeat(32)
const bob = "b".repeat(32)
const operations = goldens("operations.json")

describe("section 2 and 3: a datagram, opened by hand", () => {
  const datagrams = goldens("datagrams.json")
  const cluster = "shop"
  const key = Buffer.alloc(32, 1)
  const body = "what nobody else may read"

  const keyId = (secret: Uint8Array): string =>
    createHash("sha256").update("mccache1 key id\0").update(cluster).update("\0").update(secret).digest("hex").slice(
      0,
      8
    )

  for (const [cast, unicast] of [["multicast", false], ["unicast", true]] as const) {
    const counter = `${unicast ? "80" : "00"}00000000000001`
    const receiver = unicast ? Buffer.from(bob, "hex") : Buffer.alloc(0)

    it(`sealed ${cast}`, () => {
      const bytes = Buffer.from(datagrams[`sealed ${cast}`], "hex")
      const header = bytes.subarray(0, 36)
      assert.strictEqual(hex(header), `4d6301${unicast ? "03" : "01"}${keyId(key)}${ada}00000001${counter}`)
      const info = Buffer.concat([utf8("mccache1"), utf8(cluster), Buffer.from("00000001", "hex")])
      const derived = Buffer.from(hkdfSync("sha256", key, Buffer.from(ada, "hex"), info, 44))
      const nonce = Buffer.from(derived.subarray(32))
      for (let index = 0; index < 8; index++) nonce[4 + index] ^= bytes[28 + index]
      const decipher = createDecipheriv("aes-256-gcm", derived.subarray(0, 32), nonce)
      decipher.setAAD(Buffer.concat([header, receiver])).setAuthTag(bytes.subarray(-16))
      assert.strictEqual(
        Buffer.concat([decipher.update(bytes.subarray(36, -16)), decipher.final()]).toString("utf8"),
        body
      )
    })

    it(`not sealed ${cast}`, () => {
      const clear = Buffer.concat([
        Buffer.from(`4d6301${unicast ? "02" : "00"}${keyId(Buffer.alloc(0))}${ada}00000001${counter}`, "hex"),
        utf8(body)
      ])
      const crc = crc32(Buffer.concat([clear, receiver]), crc32(utf8(cluster)))
      assert.strictEqual(datagrams[`unsealed ${cast}`], hex(clear) + crc.toString(16).padStart(8, "0"))
    })
  }
})

describe("section 4: bodies and pieces", () => {
  const packed = (records: ReadonlyArray<Uint8Array>, bodyBytesMax: number): ReadonlyArray<Uint8Array> => {
    const packer = new Framing.Packer({ bodyBytesMax, ids: Framing.makeRecordIds() })
    const full = records.flatMap((record) => packer.add(record))
    const rest = packer.flush()
    return rest === undefined ? full : [...full, rest]
  }
  const records = ["PUT", "DEL"].map((name) => Buffer.from(operations[name], "hex"))
  const large = utf8("0123456789".repeat(20))

  const read = (body: Uint8Array): ReadonlyArray<unknown> => {
    const seen: Array<unknown> = []
    const whole = Framing.readBody(body, {
      data: (number, asks) => seen.push(["data", number, asks]),
      whole: (bytes, start, end) => seen.push(["whole", hex(bytes.subarray(start, end))]),
      part: ({ bytes, ...part }) => seen.push(["part", { ...part, bytes: hex(bytes) }])
    })
    assert.isTrue(whole)
    return seen
  }

  it("a data body with two whole records", () => {
    const [pieces, ...more] = packed(records, 1_400)
    assert.lengthOf(more, 0)
    const golden = hexFile("body.data")
    const byHand = [
      "01",
      "8001" + "00000002",
      ...records.flatMap((record) => ["00", hex(Uint8Array.of(record.length)), hex(record)])
    ]
    assert.strictEqual(golden, byHand.join(""))
    assert.strictEqual(hex(dataBody(0x1_0000_0002, pieces, true)), golden)
    assert.deepStrictEqual(read(Buffer.from(golden, "hex")), [
      ["data", 0x1_0000_0002, true],
      ...records.map((record) => ["whole", hex(record)])
    ])
  })

  it("control bodies with the parts of a record that is larger than a body", () => {
    const parts = packed([large], 150).map(Framing.controlBody)
    const crc = crc32(large)
    const golden = ["body.part.1", "body.part.2"].map(hexFile)
    // The total of 200 is the varint c8 01; the first part fills its body.
    const first = 150 - (1 + 1 + 3 * 2 + 4)
    assert.deepStrictEqual(golden, [
      "02" + "01" + "01" + "c801" + "00" + crc.toString(16).padStart(8, "0") + "8a01" + hex(large.subarray(0, first)),
      "02" + "01" + "01" + "c801" + "8a01" + crc.toString(16).padStart(8, "0") + "3e" + hex(large.subarray(first))
    ])
    assert.deepStrictEqual(parts.map(hex), golden)
    assert.deepStrictEqual(golden.flatMap((body) => read(Buffer.from(body, "hex"))), [
      ["part", { recordId: 1, total: 200, offset: 0, crc, bytes: hex(large.subarray(0, first)) }],
      ["part", { recordId: 1, total: 200, offset: first, crc, bytes: hex(large.subarray(first)) }]
    ])
  })
})

describe("section 4: what is no body", () => {
  const read = (body: string): readonly [boolean, number] => {
    let seen = 0
    const count = (): void => void seen++
    return [Framing.readBody(Buffer.from(body, "hex"), { data: count, whole: count, part: count }), seen]
  }
  const crc = "00000000"

  it("ends at its first piece that is malformed, and what came before it counts", () => {
    assert.deepStrictEqual(read("02" + "0001ff" + "0001ee"), [true, 2])
    for (
      const [name, piece] of [
        ["unknown", "02"],
        ["a whole one, longer than the body", "0002ff"],
        ["a whole one without a length", "00"],
        ["a part, longer than the body", `01010a00${crc}02ff`],
        ["a part without bytes", `01010a00${crc}00`],
        ["a part that ends behind its record", `01010a0a${crc}01ff`],
        ["a part cut off in its crc", "01010a000000"],
        ["a varint above 2^53 - 1", "01" + "8080808080808010" + `0a00${crc}01ff`],
        ["a varint of nine bytes", "01" + "808080808080808000" + `0a00${crc}01ff`]
      ]
    ) assert.deepStrictEqual(read("02" + "0001ff" + piece), [false, 1], name)
    // The same as the part that has a varint above 2^53 - 1, with the greatest that may be.
    assert.deepStrictEqual(read("02" + "01" + "ffffffffffffff0f" + `0a00${crc}01ff`), [true, 1])
  })

  it("is of another kind, cut off in its number, or has the number 0", () => {
    for (const body of ["", "00", "03", "01", "010000000001", "01" + "000000000000", "01" + "800000000000"]) {
      assert.deepStrictEqual(read(body), [false, 0], body)
    }
    assert.deepStrictEqual(read("01" + "000000000001"), [true, 1])
  })
})

describe("section 5: operations and answers", () => {
  const u8 = (value: number): string => value.toString(16).padStart(2, "0")
  const u16 = (value: number): string => value.toString(16).padStart(4, "0")
  const u48 = (value: number): string => value.toString(16).padStart(12, "0")
  const clock = (value: number): string => value.toString(16).padStart(14, "0")
  const text = (value: string, length: (value: number) => string): string =>
    length(utf8(value).length) + hex(utf8(value))

  it("the writes, laid out by position", () => {
    const number = Buffer.alloc(8)
    number.writeDoubleBE(-1.5)
    assert.deepInclude(operations, {
      "PUT": "01" + "0c" + text("users", u8) + clock(163_840_001_765_378) + text("42", u16) +
        u48(1_900_000_000_123) + "deadbeef" + "a3416461",
      "PUT.invalidation": "01" + "03" + text("n", u8) + clock(1) + bob + hex(number) + "00000000",
      "DEL": "02" + "00" + text("users", u8) + clock(Number.MAX_SAFE_INTEGER) + text("ключ 🔑", u16),
      "CLEAR": "03" + "02" + text("", u8) + clock(4_097) + "f".repeat(32)
    })
  })

  it("the writes of a body, which lean on each other", () => {
    const write = {
      _tag: "PUT",
      namespace: "users",
      key: "42",
      writer: ada,
      crc: 0xdead_beef,
      value: "\u00a3Ada"
    } as const
    const millis = 1_790_000_000_123
    const first = Stamp.fromMillis(millis)
    const writes = [
      { ...write, clock: first + 1, expiresAt: millis + 60_000 },
      { ...write, clock: first + 2, expiresAt: millis + 60_000 },
      { ...write, clock: first - 4_095, expiresAt: 0 },
      { _tag: "DEL", namespace: "users", key: -1.5, writer: bob, clock: first + 4_096 } as const,
      { ...write, clock: first + 2 ** 32, expiresAt: millis + 2 ** 20 + 60_000 },
      { ...write, namespace: "n", clock: first, expiresAt: millis + 5 }
    ]
    const [key, value] = [text("42", u16), "a3416461"]
    const number = Buffer.alloc(8)
    number.writeDoubleBE(-1.5)
    const records = [
      "01" + "0c" + text("users", u8) + clock(first + 1) + key + u48(millis + 60_000) + "deadbeef" + value,
      // The next clock, 2 as ZigZag varint, and the lifetime of the first.
      "01" + "34" + "02" + key + "deadbeef" + value,
      // Less by 4,097: 8,193 as ZigZag. It never expires.
      "01" + "14" + "8140" + key + "deadbeef" + value,
      // More by 8,191: 16,382.
      "02" + "13" + "fe7f" + bob + hex(number),
      // Too far from the one before, but with the lifetime of the first.
      "01" + "24" + text("users", u8) + clock(first + 2 ** 32) + key + "deadbeef" + value,
      "01" + "0c" + text("n", u8) + clock(first) + key + u48(millis + 5) + "deadbeef" + value
    ]
    const golden = hexFile("body.writes")
    const pieces = records.map((record) => "00" + u8(record.length / 2) + record)
    assert.strictEqual(golden, "01" + "000000000001" + pieces.join(""))

    const encoder = new WriteCodec.Encoder(ada)
    const packer = new Framing.Packer({ bodyBytesMax: 1_400, ids: Framing.makeRecordIds() })
    for (const write of writes) {
      const value = write._tag === "PUT" ? write.value : undefined
      const at = packer.place(encoder.bytes(write._tag, write.namespace, write, value), [])
      encoder.write(write._tag, write.namespace, write, value, packer.target, at)
    }
    assert.strictEqual(hex(dataBody(1, packer.flush() ?? new Uint8Array(0), false)), golden)
    const preceding = new WriteCodec.Preceding()
    const read: Array<unknown> = []
    Framing.readBody(Buffer.from(golden, "hex"), {
      data: () => undefined,
      whole: (bytes, start, end) => read.push(OperationCodec.decode(bytes, ada, start, end, preceding)),
      part: () => undefined
    })
    assert.deepStrictEqual(read, writes)
  })

  it("a text that begins with U+FEFF stays as it is, short or long", () => {
    for (const rest of ["x", "x".repeat(200)]) {
      const [key, namespace] = [`\uFEFF${rest}`, `\uFEFF${rest.slice(0, 50)}`]
      const byHand = Buffer.from("02" + "00" + text(namespace, u8) + clock(1) + text(key, u16), "hex")
      assert.deepStrictEqual(OperationCodec.decode(byHand, ada), { _tag: "DEL", namespace, key, clock: 1, writer: ada })
    }
  })

  it("a write with a flag that its operation has not, or a name of more than 128 units, is refused", () => {
    const write = (tag: number, flags: number, name: string, rest: string): unknown =>
      OperationCodec.decode(Buffer.from(u8(tag) + u8(flags) + text(name, u8) + clock(1) + rest, "hex"), ada)
    const key = text("k", u16)
    const kinds = [[tags.PUT, key + "00000000", [4, 6]], [tags.DEL, key, []], [tags.CLEAR, "", []]] as const
    for (const [tag, rest, more] of kinds) {
      for (const flags of [0, 2, ...more]) {
        const fields = ((flags & 2) === 2 ? bob : "") + rest
        assert.isDefined(write(tag, flags, "n", fields), `tag ${tag}, flags ${flags}`)
        const others = tag === tags.PUT ? [16, 32, 64, 128] : [4, 8, 12, 16, 32, 64, 128]
        for (const other of others) {
          assert.isUndefined(write(tag, flags | other, "n", fields), `tag ${tag}, flags ${flags | other}`)
        }
      }
      assert.isDefined(write(tag, 0, "n".repeat(128), rest))
      assert.isUndefined(write(tag, 0, "n".repeat(129), rest))
    }
    assert.isUndefined(write(tags.CLEAR, 1, "n", ""))
  })

  it("a field that is not known is skipped, so that later versions may tell more", () => {
    const Later = Schema.TaggedStruct("ACK", {
      received: Schema.Int,
      tide: Schema.Struct({ height: Schema.Finite, names: Schema.Array(Schema.String) }),
      settled: Schema.Int,
      credit: Schema.Int
    })
    const fields = Schema.encodeUnknownSync(SchemaBinary.toCodec(Later))({
      _tag: "ACK",
      received: 70_000,
      tide: { height: 1.5, names: ["spring", "neap"] },
      settled: 69_999,
      credit: 92
    })
    assert.deepStrictEqual(OperationCodec.decode(Uint8Array.of(tags.ACK, ...fields), ada), {
      _tag: "ACK",
      received: 70_000,
      settled: 69_999,
      credit: 92
    })
  })

  const answers = {
    digest: {
      status: "ok",
      quantum: 900_000_000,
      floor: 4_096,
      forget: 8_192,
      count: 3,
      hashes: [0, 1, 0xffff_ffff, 0x1234_5678],
      settled: [{ sender: ada, number: 300 }]
    },
    listing: {
      status: "ok",
      bucket: 255,
      floor: 4_096,
      forget: 8_192,
      items: [
        { key: "42", clock: 163_840_001_765_378, writer: ada, kind: 0, bytes: 300 },
        { key: -1.5, clock: 1, writer: bob, kind: 4, bytes: 0 },
        { key: "ключ 🔑", clock: Number.MAX_SAFE_INTEGER, writer: ada, kind: 2, bytes: 16 }
      ]
    },
    copies: {
      status: "later",
      copies: [
        {
          key: "42",
          clock: 163_840_001_765_378,
          writer: ada,
          kind: 0,
          expiresAt: 1_900_000_000_123,
          crc: 0xdead_beef,
          // Packed.
          value: "\xa3Ada"
        },
        { key: "gone", clock: 2, writer: ada, kind: 1, expiresAt: 0, crc: 0, value: undefined },
        { key: -1.5, clock: 3, writer: bob, kind: 3, expiresAt: 1, crc: 0, value: undefined },
        { key: "empty", clock: 4, writer: bob, kind: 0, expiresAt: 0, crc: 0, value: "" }
      ]
    },
    report: { json: "{\"ключ\":[1,null]}" }
  } as const

  const holds = <A>(
    name: keyof typeof answers,
    codec: { readonly encode: (value: A) => Uint8Array; readonly decode: (bytes: Uint8Array) => A | undefined },
    answer: A
  ): void => {
    const golden = hexFile(`answer.${name}`)
    assert.strictEqual(hex(codec.encode(answer)), golden)
    assert.deepStrictEqual(codec.decode(Buffer.from(golden, "hex")), answer)
    for (let length = 0; length < golden.length / 2; length++) {
      assert.notDeepEqual(codec.decode(Buffer.from(golden, "hex").subarray(0, length)), answer)
    }
  }

  it("the answers that carry records, laid out by position", () => {
    const number = Buffer.alloc(8)
    number.writeDoubleBE(-1.5)
    assert.strictEqual(
      hexFile("answer.listing"),
      [
        "00" + "ff" + clock(4_096) + clock(8_192) + "02" + ada + bob + "03",
        // 300 is the varint ac 02.
        "00" + "00" + clock(163_840_001_765_378) + text("42", u8) + "ac02",
        "41" + "01" + clock(1) + hex(number) + "00",
        "20" + "00" + clock(Number.MAX_SAFE_INTEGER) + text("ключ 🔑", u8) + "10"
      ].join("")
    )
    assert.strictEqual(
      hexFile("answer.copies"),
      [
        "02" + "02" + ada + bob + "04",
        "0c" + "00" + clock(163_840_001_765_378) + text("42", u8) + (1_900_000_000_123).toString(16).padStart(12, "0") +
        "deadbeef" + "04" + "a3416461",
        "10" + "00" + clock(2) + text("gone", u8),
        "39" + "01" + clock(3) + hex(number) + (1).toString(16).padStart(12, "0"),
        "04" + "01" + clock(4) + text("empty", u8) + "00000000" + "00"
      ].join("")
    )
  })

  it("the answers have these bytes, and truncated they are none", () => {
    holds("digest", OperationCodec.replies.digest, answers.digest)
    holds("listing", OperationCodec.replies.listing, answers.listing)
    holds("copies", OperationCodec.replies.copies, answers.copies)
    holds("report", OperationCodec.replies.report, answers.report)
  })

  it("answers with any bit flipped never throw when they are decoded", () => {
    for (const name of ["digest", "listing", "copies", "report"] as const) {
      const golden = Buffer.from(hexFile(`answer.${name}`), "hex")
      let refused = 0
      for (let bit = 0; bit < golden.length * 8; bit++) {
        const flipped = Uint8Array.from(golden)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        if (OperationCodec.replies[name].decode(flipped) === undefined) refused++
      }
      assert.isAbove(refused, 0)
    }
  })
})

it("no fixture is left that no test holds", () => {
  assert.sameMembers(readdirSync(wire), [
    "answer.copies.hex",
    "answer.digest.hex",
    "answer.listing.hex",
    "answer.report.hex",
    "body.data.hex",
    "body.part.1.hex",
    "body.part.2.hex",
    "body.writes.hex",
    "datagrams.json",
    "operations.json"
  ])
})
