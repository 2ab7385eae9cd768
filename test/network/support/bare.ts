/**
 * What a member's memory is compared with: a process without McCache that hears the same group, keeps the bytes of a thousand
 * datagrams, sends one for each fifth, digests and tells them over its pipe as a member does, and answers a line with its
 * memory.
 */
import { createHash } from "node:crypto"
import { createSocket } from "node:dgram"
import { createInterface } from "node:readline"

const [address, group, lifeMillis] = process.argv.slice(2)
const [host, port] = group.split(":")
setTimeout(() => process.exit(9), Number(lifeMillis)).unref()

const kept = new Map<number, Buffer>()
let facts: Array<string> = []
let received = 0

const socket = createSocket({ type: "udp4", reuseAddr: true })
socket.on("message", (datagram) => {
  const slot = ++received % 1_000
  const copy = Buffer.from(datagram)
  kept.set(slot, copy)
  facts.push(createHash("sha256").update(copy).digest("hex"))
  // To nobody: the next port.
  if (received % 5 === 0) socket.send(Buffer.from(copy), Number(port) + 1, host)
})
socket.bind(Number(port), host, () => {
  socket.addMembership(host, address)
  socket.setMulticastInterface(address)
})
setInterval(() => {
  if (facts.length === 0) return
  process.stdout.write(`${JSON.stringify({ facts })}\n`)
  facts = []
}, 20)

createInterface({ input: process.stdin })
  .on("line", () => {
    globalThis.gc?.()
    process.stdout.write(`${JSON.stringify({ memory: process.memoryUsage(), received })}\n`)
  })
  .on("close", () => process.exit())
