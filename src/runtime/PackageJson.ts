/** The nearest `package.json`, walking up from a directory: the name of the program, and its `"mccache"` field. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"

/** @category models */
export interface PackageJson {
  readonly path: string
  /** The `name` field, if it is text. */
  readonly name: string | undefined
  /** The `"mccache"` field as it stands, `undefined` if there is none. */
  readonly mccache: unknown
  /** Why the file could not be used, if so. Nothing else is known then. */
  readonly problem: string | undefined
}

/**
 * The nearest one to a directory, by default the working directory; `undefined` if there is none. Never fails: a file that cannot
 * be used, or looked for, is told by its `problem`.
 */
export const nearest = (directory = "."): Effect.Effect<PackageJson | undefined> =>
  Effect.sync(() => {
    const start = resolved(directory)
    if (start === undefined) return undefined
    for (let current = start;; current = path.dirname(current)) {
      const found = read(path.join(current, "package.json"))
      if (found !== undefined || path.dirname(current) === current) return found
    }
  })

/** `undefined` when the working directory was removed. */
const resolved = (directory: string): string | undefined => {
  try {
    return path.resolve(directory)
  } catch {
    return undefined
  }
}

/** `undefined` when there is no such file. */
const read = (file: string): PackageJson | undefined => {
  const unusable = (problem: string): PackageJson => ({ path: file, name: undefined, mccache: undefined, problem })
  try {
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined
    const content: unknown = JSON.parse(fs.readFileSync(file, "utf8"))
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      return unusable("it is not an object")
    }
    const name = "name" in content && typeof content.name === "string" && content.name !== "" ? content.name : undefined
    return { path: file, name, mccache: "mccache" in content ? content.mccache : undefined, problem: undefined }
  } catch (error) {
    return unusable(error instanceof Error ? error.message : String(error))
  }
}
