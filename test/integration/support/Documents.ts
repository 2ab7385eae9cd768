/**
 * The documents that users read, and the fenced blocks of code in them. What stands behind the language says what becomes of
 * a block of TypeScript or JavaScript: nothing, it is type-checked and run; `no-run`, it is type-checked only, as it needs
 * something that a test has not (a server that goes on, a program that is not installed, the reader's own modules).
 */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** The repository. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url))

/** A fenced block of a document. */
export interface Block {
  readonly document: string
  /** The line of its first line of code. */
  readonly line: number
  readonly language: string
  readonly run: boolean
  readonly source: string
}

/** `README.md` and all of `docs`. */
export const names: ReadonlyArray<string> = [
  "README.md",
  ...readdirSync(`${root}docs`).filter((name) => name.endsWith(".md")).sort().map((name) => `docs/${name}`)
]

/** The text of a document. */
export const read = (name: string): string => readFileSync(root + name, "utf8")

/** All fenced blocks of a text. A fence without a language is no code. */
export const blocks = (document: string, text: string): ReadonlyArray<Block> =>
  [...text.matchAll(/^( *)```(\w+)([^\n]*)\n(.*?)^\1```$/gms)].map((match) => {
    const [, , language, remark, source] = match
    if (!["", "no-run"].includes(remark.trim())) {
      throw new Error(`${document}: a block of ${language} is marked ${JSON.stringify(remark)}; there is no-run.`)
    }
    return {
      document,
      line: text.slice(0, match.index).split("\n").length + 1,
      language,
      run: remark.trim() === "",
      source
    }
  })

/** The blocks of all documents. */
export const all: ReadonlyArray<Block> = names.flatMap((name) => blocks(name, read(name)))

const extensions: { readonly [language: string]: string } = { ts: "ts", typescript: "ts", js: "js", javascript: "js" }

/** A block that is a program. */
export interface Program extends Block {
  /** `guide-120.ts`: of the block in `docs/guide.md` whose code begins in line 120. */
  readonly file: string
  /** Whether it is run by a test framework. */
  readonly test: boolean
}

/** The blocks that are TypeScript or JavaScript. */
export const programs: ReadonlyArray<Program> = all.flatMap((block) => {
  const extension = extensions[block.language]
  if (extension === undefined) return []
  const test = block.source.includes("@effect/vitest")
  const stem = block.document.replace(/^docs\//, "").replace(/\.md$/, "")
  return [{ ...block, test, file: `${stem}-${block.line}${test ? ".test" : ""}.${extension}` }]
})
