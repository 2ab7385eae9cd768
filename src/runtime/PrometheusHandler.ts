/** Answers scrapes of Prometheus on a server of `node:http`, or of what behaves alike. */
import { contentType } from "../services/Prometheus.ts"

/** What is used of a request; `IncomingMessage` of `node:http` has it. */
export interface ScrapeRequest {
  readonly method?: string | undefined
}

/** What is used of a response; `ServerResponse` of `node:http` has it. */
export interface ScrapeResponse {
  readonly writeHead: (status: number, headers: Record<string, string>) => unknown
  readonly end: (body?: string) => unknown
}

/** A listener that answers every GET with the text, whatever its path. When there is no text, 503 says why. */
export const make = (text: () => Promise<string>) => (request: ScrapeRequest, response: ScrapeResponse): void => {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" })
    response.end()
    return
  }
  text().then((body) => {
    response.writeHead(200, { "content-type": contentType })
    response.end(request.method === "HEAD" ? undefined : body)
  }, (error) => {
    response.writeHead(503, { "content-type": "text/plain; charset=utf-8" })
    response.end(`${error instanceof Error ? error.message : String(error)}\n`)
  })
}
