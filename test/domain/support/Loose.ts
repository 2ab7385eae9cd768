/** Answers of a donor that does not check what it sends: of the same layout as ours, with any key. */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"

const key = Schema.Union([Schema.String, Schema.Finite])
const status = Schema.Literals(["ok", "closed", "later", "options"])
const kind = Schema.Literals([0, 1, 2, 3, 4])
const stamped = { key, clock: Schema.Int, writer: Schema.Int, kind }

const encoder = <A, I>(schema: Schema.Codec<A, I>): (value: A) => Uint8Array => {
  const encode = Schema.encodeUnknownSync(SchemaBinary.toCodec(schema))
  return (value) => encode(value).slice()
}

export const listing = encoder(Schema.Struct({
  status,
  bucket: Schema.Int,
  floor: Schema.Int,
  forget: Schema.Int,
  writers: Schema.Array(Schema.String),
  items: Schema.Array(Schema.Struct({ ...stamped, bytes: Schema.Int }))
}))

export const copies = encoder(Schema.Struct({
  status,
  writers: Schema.Array(Schema.String),
  copies: Schema.Array(Schema.Struct({
    ...stamped,
    expiresAt: Schema.Int,
    crc: Schema.Int,
    value: Schema.UndefinedOr(Schema.Uint8Array)
  }))
}))
