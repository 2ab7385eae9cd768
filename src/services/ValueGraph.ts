/**
 * Values that are no trees of plain data, as trees of plain data: cycles, shared objects, `Map`, `Set`, `Error`,
 * `RegExp`, typed arrays, holes, `-0`, large integers and all else that the structured clone algorithm takes, and
 * MessagePack lacks.
 *
 * `flatten` lists the value's objects, each once: `[slot of the value, node, node, …]`. A node is an array of a tag and
 * what the object holds. A slot is a primitive as it is, or an array: `[index]` of a node, `[]` for `-0`,
 * `[0, bytes]` for a string that is not UTF-8, `[1, hexadecimal digits]` for an integer beyond 64 bits.
 *
 * Neither direction recurses, so that no depth of a value overflows the stack. `unflatten` trusts nothing: it calls
 * only what stands in its own tables, and allocates only by what it was given.
 */
import { types } from "node:util"
import * as McCacheError from "../domain/McCacheError.ts"
import { isPlainBigInt, isPlainText } from "./TreeWriter.ts"

const tags = {
  object: 0,
  array: 1,
  sparse: 2,
  map: 3,
  set: 4,
  error: 5,
  regExp: 6,
  date: 7,
  bytes: 8,
  boxed: 9
} as const

/** What a node of bytes becomes: 0 an `ArrayBuffer`, n the nth of these. Part of the format: append only. */
const views: ReadonlyArray<new(buffer: ArrayBuffer) => ArrayBufferView> = [
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]

const errors = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((constructor) => [
    constructor.name,
    constructor
  ])
)

// -------------------------------------------------------------------------------------------------------- flatten

/** The objects met so far, with how each was reached, for the message that names an unencodable one. */
interface Walk {
  readonly objects: Array<object>
  readonly indices: Map<object, number>
  readonly parents: Array<number>
  readonly labels: Array<string>
}

/** The list of a value's objects. Throws `Unencodable`, naming the place of what has no encoding. */
export const flatten = (value: unknown): ReadonlyArray<unknown> => {
  const walk: Walk = { objects: [], indices: new Map(), parents: [], labels: [] }
  const nodes: Array<unknown> = [slot(walk, value, -1, "")]
  for (let index = 0; index < walk.objects.length; index++) nodes.push(node(walk, walk.objects[index], index))
  return nodes
}

const slot = (walk: Walk, value: unknown, parent: number, label: string): unknown => {
  switch (typeof value) {
    case "string":
      return isPlainText(value) ? value : [0, utf16(value)]
    case "number":
      return Object.is(value, -0) ? [] : value
    case "bigint":
      return isPlainBigInt(value) ? value : [1, value.toString(16)]
    case "function":
    case "symbol":
      return refuse(walk, parent, label, `a ${typeof value}`)
    case "object": {
      if (value === null) return null
      const known = walk.indices.get(value)
      if (known !== undefined) return [known]
      walk.indices.set(value, walk.objects.length)
      walk.parents.push(parent)
      walk.labels.push(label)
      return [walk.objects.push(value) - 1]
    }
    default:
      return value
  }
}

const refuse = (walk: Walk, parent: number, label: string, what: string): never => {
  let path = label
  for (let index = parent; index >= 0; index = walk.parents[index]) path = walk.labels[index] + path
  throw McCacheError.make("Unencodable", `value${path} is ${what}, which has no encoding. ${advice(what)}`)
}

const advice = (what: string): string =>
  what === "a Promise" ? "Await it first." : "Leave it out, or open the cache with a Schema that encodes it."

const utf16 = (text: string): Uint8Array => {
  const units = new Uint16Array(text.length)
  for (let index = 0; index < text.length; index++) units[index] = text.charCodeAt(index)
  return new Uint8Array(units.buffer)
}

/** The node of an object. Own enumerable properties are all that is kept of an instance of a class. */
const node = (walk: Walk, value: object, at: number): ReadonlyArray<unknown> => {
  const inside = (item: unknown, label: string) => slot(walk, item, at, label)
  if (Array.isArray(value)) return arrayNode(value, inside)
  if (types.isMap(value)) {
    const entries: Array<unknown> = [tags.map]
    for (const [key, item] of value) entries.push(inside(key, ".key()"), inside(item, `.get(${show(key)})`))
    return entries
  }
  if (types.isSet(value)) return [tags.set, ...Array.from(value, (item) => inside(item, ".member()"))]
  if (types.isDate(value)) return [tags.date, value.getTime()]
  if (types.isRegExp(value)) return [tags.regExp, inside(value.source, ".source"), value.flags]
  if (types.isAnyArrayBuffer(value)) return [tags.bytes, 0, new Uint8Array(value)]
  if (ArrayBuffer.isView(value)) {
    const view = views.findIndex((constructor) => value instanceof constructor)
    return view === -1
      ? refuse(walk, at, "", `a ${value.constructor.name}`)
      : [tags.bytes, view + 1, new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]
  }
  if (types.isNativeError(value) || value instanceof Error) {
    const texts = [value.name, value.message, value.stack].map((text) =>
      inside(text === undefined ? text : `${text}`, "")
    )
    return Object.hasOwn(value, "cause")
      ? [tags.error, ...texts, inside(value.cause, ".cause")]
      : [tags.error, ...texts]
  }
  if (types.isBoxedPrimitive(value) && !types.isSymbolObject(value)) return [tags.boxed, inside(value.valueOf(), "")]
  const name = nameOfUnencodable(value)
  if (name !== undefined) return refuse(walk, at, "", name)
  const properties: Array<unknown> = [tags.object]
  for (const [key, item] of Object.entries(value)) properties.push(inside(key, ""), inside(item, property(key)))
  return properties
}

type Inside = (item: unknown, label: string) => unknown

const arrayNode = (array: ReadonlyArray<unknown>, inside: Inside): ReadonlyArray<unknown> => {
  const items: Array<unknown> = [tags.array]
  for (let index = 0; index < array.length; index++) {
    // The rest may be one huge hole: visit what is there.
    if (!(index in array)) return sparseNode(array, inside)
    items.push(inside(array[index], `[${index}]`))
  }
  return items
}

const sparseNode = (array: ReadonlyArray<unknown>, inside: Inside): ReadonlyArray<unknown> => {
  const items: Array<unknown> = [tags.sparse, array.length]
  for (const key of Object.keys(array)) {
    const index = Number(key)
    if (String(index) === key && index < array.length) items.push(index, inside(array[index], `[${index}]`))
  }
  return items
}

const nameOfUnencodable = (value: object): string | undefined =>
  types.isPromise(value)
    ? "a Promise"
    : types.isSymbolObject(value)
    ? "a symbol"
    : types.isWeakMap(value)
    ? "a WeakMap"
    : types.isWeakSet(value)
    ? "a WeakSet"
    : value instanceof WeakRef
    ? "a WeakRef"
    : types.isGeneratorObject(value)
    ? "a generator"
    : undefined

const property = (key: string): string => /^[a-z_$][\w$]*$/i.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`

const show = (key: unknown): string =>
  typeof key === "string" ? JSON.stringify(key) : typeof key === "object" ? "an object" : String(key)

// ------------------------------------------------------------------------------------------------------ unflatten

/** The list is not one that `flatten` makes. */
export class MalformedGraph extends Error {
  override readonly name = "MalformedGraph"
}

const malformed = (what: string): never => {
  throw new MalformedGraph(what)
}

type List = ReadonlyArray<unknown>

const isList: (input: unknown) => input is List = Array.isArray

/** The value that a list stands for. Throws for a list that `flatten` did not make. */
export const unflatten = (list: unknown): unknown => {
  if (!isList(list) || list.length === 0) return malformed("no list of nodes")
  const values: Array<unknown> = []
  const read = (slot: unknown): unknown => isList(slot) ? special(slot, values) : slot
  const fills: Array<() => void> = []
  for (let index = 1; index < list.length; index++) {
    const node = list[index]
    values.push(isList(node) ? make(node, read, fills) : malformed("a node is no list"))
  }
  for (const fill of fills) fill()
  return read(list[0])
}

const special = (slot: List, values: List): unknown => {
  const [first, second] = slot
  if (slot.length === 0) return -0
  if (slot.length === 1) {
    return typeof first === "number" && Number.isInteger(first) && first >= 0 && first < values.length
      ? values[first]
      : malformed("no such node")
  }
  if (slot.length > 2) return malformed("no such slot")
  if (first === 0 && second instanceof Uint8Array) return fromUtf16(second)
  return first === 1 && typeof second === "string" ? bigint(second) : malformed("no such slot")
}

const bigint = (digits: string): bigint => {
  const magnitude = BigInt(`0x${digits.replace("-", "")}`)
  return digits.startsWith("-") ? -magnitude : magnitude
}

const fromUtf16 = (bytes: Uint8Array): string => {
  const parts: Array<string> = []
  const units = new Uint16Array(bytes.slice().buffer)
  for (let index = 0; index < units.length; index += 4_096) {
    parts.push(String.fromCharCode(...units.subarray(index, index + 4_096)))
  }
  return parts.join("")
}

const text = (value: unknown): string => typeof value === "string" ? value : malformed("no text")

/** Makes the object of a node, whole or, where it may refer to others, to be filled when all are there. */
const make = (node: List, read: (slot: unknown) => unknown, fills: Array<() => void>): unknown => {
  switch (node[0]) {
    case tags.object: {
      const object: { [key: string]: unknown } = {}
      fills.push(() => {
        for (let index = 1; index + 1 < node.length; index += 2) {
          define(object, text(read(node[index])), read(node[index + 1]))
        }
      })
      return object
    }
    case tags.array: {
      const array: Array<unknown> = []
      fills.push(() => {
        for (let index = 1; index < node.length; index++) array.push(read(node[index]))
      })
      return array
    }
    case tags.sparse: {
      const array = holes(node[1])
      fills.push(() => {
        for (let index = 2; index + 1 < node.length; index += 2) {
          const at = node[index]
          if (typeof at !== "number" || !Number.isInteger(at) || at < 0 || at >= array.length) {
            return malformed("no index")
          }
          array[at] = read(node[index + 1])
        }
      })
      return array
    }
    case tags.map: {
      const map = new Map<unknown, unknown>()
      fills.push(() => {
        for (let index = 1; index + 1 < node.length; index += 2) map.set(read(node[index]), read(node[index + 1]))
      })
      return map
    }
    case tags.set: {
      const set = new Set<unknown>()
      fills.push(() => {
        for (let index = 1; index < node.length; index++) set.add(read(node[index]))
      })
      return set
    }
    case tags.error: {
      const name = text(read(node[1]))
      const error = new (errors.get(name) ?? Error)()
      const hidden = (key: string, value: unknown) =>
        Object.defineProperty(error, key, { value, configurable: true, writable: true })
      if (!errors.has(name)) hidden("name", name)
      hidden("message", text(read(node[2])))
      hidden("stack", node[3] === undefined ? undefined : text(read(node[3])))
      if (node.length > 4) fills.push(() => hidden("cause", read(node[4])))
      return error
    }
    case tags.regExp:
      return new RegExp(text(read(node[1])), text(node[2]))
    case tags.date:
      return typeof node[1] === "number" ? new Date(node[1]) : malformed("no date")
    case tags.bytes: {
      const [, view, bytes] = node
      if (typeof view !== "number" || !(bytes instanceof Uint8Array)) return malformed("no bytes")
      const { buffer } = bytes.slice()
      if (view === 0) return buffer
      const constructor = views[view - 1]
      return constructor === undefined ? malformed("no such view") : new constructor(buffer)
    }
    case tags.boxed: {
      const value = read(node[1])
      return typeof value === "object" ? malformed("no primitive") : Object(value)
    }
    default:
      return malformed("no such tag")
  }
}

/** Sets an own property, `__proto__` too, without reaching a setter. */
const define = (object: { [key: string]: unknown }, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true })
  } else object[key] = value
}

/**
 * An array of nothing but holes, as small as that: a length alone would have it allocated in full. Far out is where an
 * array keeps what it has in a table instead, and it stays with that when it becomes shorter.
 */
const holes = (length: unknown): Array<unknown> => {
  const array: Array<unknown> = []
  if (typeof length !== "number" || !Number.isInteger(length) || length < 0 || length > 0xffff_ffff) {
    return malformed("no length")
  }
  if (length > 0) {
    array[farOut] = undefined
    delete array[farOut]
    array.length = length
  }
  return array
}

const farOut = 0xffff_fffe
