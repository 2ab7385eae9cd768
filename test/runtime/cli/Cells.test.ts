import { assert, describe, it } from "@effect/vitest"
import * as CliOutput from "effect/cli/CliOutput"
import * as Schema from "effect/Schema"
import * as Cells from "../../../src/runtime/cli/Cells.ts"
import * as Quantities from "../../../src/runtime/cli/Quantities.ts"
import * as Sparkline from "../../../src/runtime/cli/Sparkline.ts"

describe("cells", () => {
  it.prop(
    "text has exactly the cells that it is given, whatever it is",
    { text: Schema.String, cells: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })) },
    ({ cells, text }) => {
      assert.strictEqual(CliOutput.displayWidth(Cells.fit(Cells.clean(text), cells)), cells)
    }
  )

  it("wide characters are cut whole", () => {
    assert.strictEqual(Cells.fit("日本語", 4), "日… ")
    assert.strictEqual(Cells.fit("日本語", 4, "right"), " 日…")
    assert.strictEqual(Cells.fit("日本", 4), "日本")
  })

  it("nothing that a terminal obeys is left", () => {
    assert.strictEqual(Cells.clean("a\x1b[2J\r\nb\u202ec\u009b"), "a�[2J��b�c�")
  })
})

describe("quantities", () => {
  it("are short and rounded where the next unit begins", () => {
    assert.deepStrictEqual(
      [0, 7, 999, 999.6, 1_000, 9_949, 9_950, 999_499, 999_500, 12e12].map(Quantities.count),
      ["0", "7", "999", "1.0k", "1.0k", "9.9k", "10k", "999k", "1.0M", "12T"]
    )
    assert.deepStrictEqual([512, 1_536, 8_388_608].map(Quantities.bytes), ["512B", "1.5K", "8.0M"])
    assert.deepStrictEqual([0, 0.5, 0.9994, 0.9999, undefined].map(Quantities.percent), [
      "0.0",
      "50.0",
      "99.9",
      "100",
      "-"
    ])
    assert.deepStrictEqual([0, 0.25, 9.96, 1_234].map(Quantities.rate), ["0", "0.3", "10", "1.2k"])
  })
})

describe("sparkline", () => {
  it("scales to the greatest that is shown, and shows little as more than nothing", () => {
    assert.strictEqual(Sparkline.draw([9, 0, undefined, 1, 700], 4), "▁ ▂█")
    assert.strictEqual(Sparkline.draw([0, 0], 2), "▁▁")
    assert.strictEqual(Sparkline.draw([1, 2], 4), "  ▅█")
  })
})
