/** What the documents name exists: settings, timings of the protocol, other documents and their headings. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { limits } from "../src/domain/Protocol.ts"
import { settings } from "../src/domain/SettingTable.ts"
import * as Documents from "./integration/support/Documents.ts"

const { all, names, read, root } = Documents

/** Every match of a pattern's first group, with the document that it stands in. */
const mentions = (documents: ReadonlyArray<string>, pattern: RegExp): ReadonlyArray<readonly [string, string]> =>
  documents.flatMap((document) => [...read(document).matchAll(pattern)].map((match) => [document, match[1]] as const))

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-")

const anchors = (document: string): ReadonlyArray<string> =>
  // A comment in a block of shell commands is no heading.
  [...read(document).replace(/^```.*?^```$/gms, "").matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading))

describe("documents", () => {
  it("name settings that there are", () => {
    const known = settings.flatMap(({ formerly, variable }) => [variable, ...formerly])
    // `coming-from.md` names those of McCache for Python, also those that are not here.
    const documents = names.filter((name) => name !== "docs/coming-from.md")
    const named = mentions(documents, /\b(MCCACHE_[A-Z_]*[A-Z])\b/g)
    assert.isAbove(named.length, 0)
    assert.deepStrictEqual(named.filter(([, variable]) => !known.includes(variable)), [])
  })

  it("name timings of the protocol that there are", () => {
    const named = mentions(names, /\bprotocol\.([a-z]+[A-Z]\w*)/g)
    assert.isAbove(named.length, 0)
    assert.deepStrictEqual(named.filter(([, name]) => !Object.hasOwn(limits, name)), [])
  })

  it("lead to documents and headings that there are", () => {
    const links = mentions(names, /\]\((?!https?:)([^)\s]+)\)/g)
    assert.isAbove(links.length, 0)
    const broken = links.filter(([document, link]) => {
      const [path, anchor] = link.split("#")
      const target = path === "" ? document : join(dirname(document), path)
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !anchors(target).includes(anchor)
    })
    assert.deepStrictEqual(broken, [])
  })

  it("hold JSON that is JSON", () => {
    for (const { document, language, line, source } of all) {
      if (language === "json") assert.doesNotThrow(() => JSON.parse(source), `${document}:${line}`)
    }
  })
})
