/**
 * How many datagrams the kernel dropped at a socket because its receive buffer was full. Linux tells it for every
 * socket in `/proc/net/udp`; elsewhere nobody does, and it is 0. It is what tells a reader that is too slow from a
 * network that loses.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import type { Family } from "./Interfaces.ts"

/**
 * Sockets of this thread that are watched: several may share a port, and the table does not say whose is which. Those of other
 * threads are not known here; but the table has the newest of a port first, which is the one that was just bound.
 */
const watched = new Set<string>()

/** Watches the socket that this process just bound to the port. Answers the count since it was bound. */
export const watch = (family: Family, port: number): Effect.Effect<() => number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const own = ownSockets()
        const inode = rows(family).find((row) => row.port === port && own.has(row.inode) && !watched.has(row.inode))
          ?.inode
        if (inode !== undefined) watched.add(inode)
        return inode
      }),
      (inode) => Effect.sync(() => inode !== undefined && watched.delete(inode))
    ),
    (inode) => {
      let last = 0
      return () => {
        // A closed socket has no row: what was seen of it stays.
        if (inode !== undefined) last = rows(family).find((row) => row.inode === inode)?.drops ?? last
        return last
      }
    }
  )

interface Row {
  readonly port: number
  readonly inode: string
  readonly drops: number
}

const rows = (family: Family): ReadonlyArray<Row> => {
  const lines = read(() => readFileSync(family === "IPv6" ? "/proc/net/udp6" : "/proc/net/udp", "utf8").split("\n"))
  return (lines ?? []).slice(1).flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    return fields.length < 13
      ? []
      : [{
        port: parseInt(fields[1].slice(fields[1].lastIndexOf(":") + 1), 16),
        inode: fields[9],
        drops: Number(fields[12])
      }]
  })
}

const ownSockets = (): ReadonlySet<string> => {
  const descriptors = read(() => readdirSync("/proc/self/fd")) ?? []
  return new Set(descriptors.flatMap((descriptor) => {
    const inode = /^socket:\[(\d+)\]$/.exec(read(() => readlinkSync(`/proc/self/fd/${descriptor}`)) ?? "")?.[1]
    return inode === undefined ? [] : [inode]
  }))
}

/** What cannot be read, for want of the file or of the right, is not known. */
const read = <A>(body: () => A): A | undefined => {
  if (process.platform !== "linux") return undefined
  try {
    return body()
  } catch {
    return undefined
  }
}
