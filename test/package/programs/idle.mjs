/** A program that imports McCache and never opens it. Prints what that left running; the process must end by itself. */
import { createHook } from "node:async_hooks"

const kept = /^(UDPWRAP|Timeout|Immediate|TCP|FSEVENTWRAP|SIGNALWRAP|WORKER|PROCESSWRAP|MESSAGEPORT)/
const started = []
createHook({ init: (_id, type) => void (kept.test(type) && started.push(type)) }).enable()
const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)])
const before = JSON.stringify(listeners())
const output = []
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream)
  stream.write = (chunk, ...others) => (output.push(String(chunk)), write(chunk, ...others))
}
await import("mccache")
await import("mccache/standalone")
await import("mccache/testing")
const written = [...output]
process.on("exit", () => console.log(JSON.stringify({ started, written })))
if (JSON.stringify(listeners().filter(([name]) => name !== "exit")) !== before) throw new Error("listeners were added")
