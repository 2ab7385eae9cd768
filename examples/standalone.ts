/**
 * McCache without Effect: plain calls where the work is local, Promises where it waits for others.
 *
 * Run: `node examples/standalone.ts` (in a clone of the repository after `npm run build`).
 */
import { McCacheError, open } from "mccache/standalone"
import { setTimeout as sleep } from "node:timers/promises"

interface User {
  readonly name: string
  readonly born: Date
}

const options = {
  cluster: "example-standalone",
  interface: "127.0.0.1",
  multicastIp: process.env.MCCACHE_MULTICAST_IP ?? "224.0.0.3:4502"
}

// Two members in one process, so that the example needs only one terminal. Usually each process opens one.
const here = await open(options)
const there = await open(options)
const users = here.cache<User>("users", { ttl: "10 minutes" })
const usersThere = there.cache<User>("users", { ttl: "10 minutes" })
// Caught up with each other.
await Promise.all([here.ready(), there.ready()])

usersThere.on("change", ({ key, origin, type }) => console.log(`change there: ${origin} ${type} of ${key}`))

// It reads as a Map. What is set is readable on the next line, and at the others a moment later.
users.set("ada", { name: "Ada", born: new Date("1815-12-10") })
console.log(`here: ${users.get("ada")?.name}, ${users.size} entry`)

// Who has to know that the others have it waits for them: all that was written so far, or, with `ack`, one write.
await here.flush()
console.log(`there: ${usersThere.get("ada")?.name}, born ${usersThere.get("ada")?.born.getUTCFullYear()}`)
await users.set("alan", { name: "Alan", born: new Date("1912-06-23") }, { ack: "all" })
console.log(`there: ${[...usersThere.keys()].sort().join(", ")}`)

// Computed once, however many want it at the same time, and then found at every member.
let loads = 0
const load = async (): Promise<User> => {
  loads++
  await sleep(50)
  return { name: "Grace", born: new Date("1906-12-09") }
}
await Promise.all([users.getOrSet("grace", load), users.getOrSet("grace", load)])
await here.flush()
await usersThere.getOrSet("grace", load)
console.log(`loaded: ${loads} time`)

// Deleted is deleted, everywhere.
usersThere.delete("ada")
await there.flush()
console.log(`deleted: ${users.has("ada") ? "still here" : "gone here too"}`)

// Errors say what was wrong and carry a tagged reason.
try {
  users.set("", { name: "Nobody", born: new Date(0) })
} catch (error) {
  if (error instanceof McCacheError) console.log(`refused: ${error.reason._tag}`)
}

// Both hold the same, which their checksums tell without comparing the entries.
console.log(`same checksum: ${users.checksum() === usersThere.checksum()}`)

// Sends what is queued and says farewell; without it the process would not end.
await Promise.all([here.close(), there.close()])
