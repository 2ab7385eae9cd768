/** What the conductor and the members of the demo say to each other. */

export type Action =
  | { readonly do: "ready" | "traffic" | "quiet" | "clear" | "report" | "stamps" | "close" }
  | { readonly do: "load"; readonly share: number; readonly of: number }

export type Command = Action & { readonly id: number }

export interface Report {
  readonly entries: number
  readonly checksum: string
  readonly lookups: number
  readonly lost: number
  readonly repaired: number
  readonly propagation: { readonly p50: number; readonly p99: number }
}

export type Answer = { readonly id: number; readonly answer?: unknown; readonly error?: string }
