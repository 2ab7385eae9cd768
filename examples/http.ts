/**
 * An HTTP service of several processes that render expensive reports: what one has rendered, the others have too.
 *
 * Run: `PORT=8001 node examples/http.ts`, the same with 8002 in another terminal, and `curl 127.0.0.1:8001/reports/7`,
 * then 8002. Without PORT it starts both, asks both and ends. (In a clone of the repository after `npm run build`.)
 */
import { open } from "mccache/standalone"
import { fork } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

interface Report {
  readonly title: string
  readonly renderedBy: number
}

/** Stands for the expensive work. */
const render = async (id: string): Promise<Report> => {
  await sleep(200)
  return { title: `Report ${id}`, renderedBy: process.pid }
}

const serve = async (port: number): Promise<void> => {
  const mccache = await open({
    cluster: "example-http",
    interface: "127.0.0.1",
    multicastIp: process.env.MCCACHE_MULTICAST_IP ?? "224.0.0.3:4504"
  })
  // Should two processes render the same report at the same moment, `latest` keeps one of the two.
  const reports = mccache.cache<Report>("reports", { ttl: "1 minute", collision: "latest" })

  const server = createServer((request, response) => {
    const id = /^\/reports\/(\w+)$/.exec(request.url ?? "")?.[1]
    if (id === undefined) return void response.writeHead(404).end()
    reports.getOrSet(id, () => render(id)).then(
      (report) => response.setHeader("content-type", "application/json").end(JSON.stringify(report)),
      (error) => {
        console.error(error)
        response.writeHead(500).end()
      }
    )
  })

  // Take requests only when caught up with the others: so a process that was restarted starts warm.
  await mccache.ready()
  await once(server.listen(port, "127.0.0.1"), "listening")
  const listening = (server.address() as AddressInfo).port
  console.log(`${process.pid} listens on 127.0.0.1:${listening}`)
  process.send?.(listening)

  // Answer what was asked, then say farewell to the others. Nothing else keeps the process from ending.
  const stop = (): void => {
    server.close(() => void mccache.close().then(() => console.log(`${process.pid} has stopped`)))
    if (process.connected) process.disconnect()
  }
  process.once("SIGTERM", stop).once("SIGINT", stop)
}

/** Starts two processes and asks both for the same report, one after the other. */
const demonstrate = async (): Promise<void> => {
  const children = [1, 2].map(() => fork(fileURLToPath(import.meta.url), { env: { ...process.env, PORT: "0" } }))
  const ports = await Promise.all(children.map(async (child) => Number((await once(child, "message"))[0])))
  for (const port of ports) {
    const startedAt = performance.now()
    const response = await fetch(`http://127.0.0.1:${port}/reports/7`)
    const { renderedBy } = await response.json() as Report
    console.log(`${port} took ${Math.round(performance.now() - startedAt)} ms, rendered by ${renderedBy}`)
    await sleep(200)
  }
  for (const child of children) child.kill("SIGTERM")
}

await (process.env.PORT === undefined ? demonstrate() : serve(Number(process.env.PORT)))
