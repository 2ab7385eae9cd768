/** What people see of a stress test: the text, the page with plots, and how far it is. */
import { assert, describe, it } from "@effect/vitest"
import * as LinePlot from "../../../src/runtime/stress/LinePlot.ts"
import { columns } from "../../../src/runtime/stress/Outcome.ts"
import * as Printout from "../../../src/runtime/stress/Printout.ts"
import * as Progress from "../../../src/runtime/stress/Progress.ts"
import * as ReportPage from "../../../src/runtime/stress/ReportPage.ts"
import { failed, passed, report } from "./support/Outcomes.ts"

describe("the text", () => {
  it("has a line for each column, with the mean, the greatest depth, and each member's", () => {
    const lines = Printout.text(passed).split("\n")
    for (const { name } of columns) assert.isTrue(lines.some((line) => line.startsWith(name)), name)
    assert.match(lines[0], /^ +mean +member 1 +member 2$/)
    assert.match(lines.find((line) => line.startsWith("in queue")) ?? "", / 1\.0 \/ 4 +1\.0 \/ 3 +1\.0 \/ 4$/)
    assert.strictEqual(
      lines.at(-1),
      "PASS: 1.0 s, 170 keys compared at 2 members, drained in 12 ms"
    )
  })

  it("shows large clusters by their mean", () => {
    const members = Array.from({ length: 10 }, (_, index) => report(index + 1))
    assert.match(Printout.text({ ...passed, members }).split("\n")[0], /^ +mean$/)
  })

  it("says what differs and why it failed", () => {
    const text = Printout.text(failed)
    assert.include(text, "<b>&\"key\" missing: member 1: 0.1; member 2: nothing")
    assert.include(text, "members differ in 1 of 170 keys")
    assert.match(text, /FAIL: .* drained in never$/)
  })
})

describe("the page", () => {
  it("needs nothing beside itself", () => {
    const page = ReportPage.html(passed)
    assert.notMatch(page, /https?:|<script|<link|<img|@import|url\(|\bsrc=|\bhref=/i)
    assert.match(page, /^<!doctype html>/)
  })

  it("plots every member and breaks its line where it was gone", () => {
    const page = ReportPage.html(passed)
    const plots = page.match(/<svg.*?<\/svg>/g) ?? []
    assert.strictEqual(plots.length, 7)
    for (const plot of plots) {
      assert.include(plot, "<title>member 1</title>")
      assert.include(plot, "<title>member 2</title>")
      assert.notMatch(plot, /NaN|Infinity|undefined/)
    }
    // Entries: two moments of the first, one of the second.
    assert.match(plots[1], /d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+" [^>]*><title>member 1/)
    assert.match(plots[1], /d="M[\d.]+ [\d.]+" [^>]*><title>member 2/)
  })

  it("shows what went wrong, with nothing of it read as HTML", () => {
    const page = ReportPage.html(failed)
    assert.include(page, "members differ in 1 of 170 keys")
    assert.include(page, LinePlot.escape("<b>&\"key\""))
    assert.notInclude(page, "<b>&")
    assert.notInclude(page, "<fast>")
  })

  it("has round numbers on its axes, up to at least what is plotted", () => {
    assert.deepStrictEqual(LinePlot.ticks(10), [0, 5, 10])
    assert.deepStrictEqual(LinePlot.ticks(0.73), [0, 0.2, 0.4, 0.6, 0.8])
    assert.deepStrictEqual(LinePlot.ticks(0), [0, 1])
    for (const greatest of [0.001, 1, 3, 99, 101, 12_345]) {
      assert.isAtLeast(LinePlot.ticks(greatest).at(-1) ?? 0, greatest)
    }
  })
})

describe("the progress", () => {
  it("is a bar", () => {
    assert.strictEqual(Progress.bar(0), `${"─".repeat(20)}   0 %`)
    assert.strictEqual(Progress.bar(0.25), `${"━".repeat(5)}${"─".repeat(15)}  25 %`)
    assert.strictEqual(Progress.bar(1.2), `${"━".repeat(20)} 100 %`)
  })

  it("tells the rate since the moment before, of those that are there", () => {
    const [first, second] = passed.moments
    assert.strictEqual(
      Progress.figures(undefined, first),
      "600 operations/s, 170 entries, 6 waiting, 2 lost, 4 repaired"
    )
    assert.match(
      Progress.figures({ millis: 500, members: [first.members[0], undefined] }, second),
      /^200 operations\/s/
    )
  })
})

describe("a plot", () => {
  it("takes more points than a call takes arguments", () => {
    const points = Array.from({ length: 300_000 }, (_, index) => ({ seconds: index / 2, value: index % 7 }))
    assert.include(LinePlot.svg({ title: "Entries", unit: "held", series: [{ name: "member 1", points }] }), "<path")
  })
})
