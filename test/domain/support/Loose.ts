/** Answers of a donor that does not check what it sends: of the same layout as ours, written by hand, with anything in it. */

type Status = "ok" | "closed" | "later" | "options"

interface Stamped {
  readonly key: string | number
  readonly clock: number
  /** A place in the table of writers, or beyond it. */
  readonly writer: number
  readonly kind: number
}

const uint = (value: number, bytes: number): Buffer => Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex")

const varint = (value: number): Buffer => {
  const groups = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) groups.push(rest % 128)
  return Buffer.from(groups.map((group, index) => index < groups.length - 1 ? group | 128 : group))
}

const sized = (bytes: Uint8Array): Buffer => Buffer.concat([varint(bytes.length), bytes])

const keyOf = (key: string | number): Buffer => {
  if (typeof key === "string") return sized(Buffer.from(key))
  const double = Buffer.alloc(8)
  double.writeDoubleBE(key)
  return double
}

const stamped = ({ clock, key, kind, writer }: Stamped, flags: number): Buffer =>
  Buffer.concat([
    uint(16 * kind + flags + (typeof key === "number" ? 1 : 0), 1),
    varint(writer),
    uint(clock, 7),
    keyOf(key)
  ])

const statusOf = (status: Status): Buffer => uint(["ok", "closed", "later", "options"].indexOf(status), 1)

const writersOf = (writers: ReadonlyArray<string>): Buffer =>
  Buffer.concat([varint(writers.length), ...writers.map((writer) => Buffer.from(writer, "hex"))])

export const listing = ({ bucket, floor, forget, items, status, writers }: {
  readonly status: Status
  readonly bucket: number
  readonly floor: number
  readonly forget: number
  readonly writers: ReadonlyArray<string>
  readonly items: ReadonlyArray<Stamped & { readonly bytes: number }>
}): Uint8Array =>
  Uint8Array.from(Buffer.concat([
    statusOf(status),
    uint(bucket, 1),
    uint(floor, 7),
    uint(forget, 7),
    writersOf(writers),
    varint(items.length),
    ...items.flatMap((item) => [stamped(item, 0), varint(item.bytes)])
  ]))

export const copies = ({ copies, status, writers }: {
  readonly status: Status
  readonly writers: ReadonlyArray<string>
  readonly copies: ReadonlyArray<
    Stamped & {
      readonly expiresAt: number
      readonly crc: number
      readonly value: Uint8Array | undefined
    }
  >
}): Uint8Array =>
  Uint8Array.from(Buffer.concat([
    statusOf(status),
    writersOf(writers),
    varint(copies.length),
    ...copies.flatMap(({ crc, expiresAt, value, ...stamp }) => [
      stamped(stamp, (expiresAt === 0 ? 0 : 8) + (value === undefined ? 0 : 4)),
      expiresAt === 0 ? Buffer.alloc(0) : uint(expiresAt % 2 ** 48, 6),
      value === undefined ? Buffer.alloc(0) : Buffer.concat([uint(crc, 4), sized(value)])
    ])
  ]))
