/** A plain ES module without Effect: two members in one process. Prints what it saw. */
import { McCacheError, open } from "mccache/standalone"

const options = { cluster: "package", interface: "127.0.0.1" }
const first = await open(options)
const second = await open(options)
await Promise.all([first.ready(), second.ready()])
first.cache("users").set("ada", { name: "Ada", born: new Date(0), tags: new Set(["a"]) })
second.cache("users")
await second.ready()
await first.flush()
let refused
try {
  first.cache("users").set("", 1)
} catch (error) {
  refused = error instanceof McCacheError ? error.reason._tag : error
}
console.log(JSON.stringify({
  members: first.members().length,
  value: second.cache("users").get("ada"),
  tags: [...second.cache("users").get("ada").tags],
  refused
}))
await Promise.all([first.close(), second.close()])
