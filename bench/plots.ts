/**
 * Plots and tables of the last full run of each suite.
 *
 *     node bench/plots.ts               writes docs/performance/<plot>.svg
 *     node bench/plots.ts --tables      prints Markdown tables of all results
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Plot from "./support/Plot.ts"
import * as PlotCatalog from "./support/PlotCatalog.ts"
import * as PlotTables from "./support/PlotTables.ts"
import * as Results from "./support/Results.ts"

const { values } = parseArgs({ options: { tables: { type: "boolean", default: false } } })

const reports = Results.readAll()
if (values.tables) console.log(PlotTables.markdown(reports))
else {
  const directory = new URL("../docs/performance/", import.meta.url)
  mkdirSync(directory, { recursive: true })
  for (const definition of PlotCatalog.definitions) {
    const plot = PlotCatalog.plotOf(reports, definition)
    if (plot === undefined) console.error(`${definition.name}: no results of a full run (npm run bench)`)
    else writeFileSync(new URL(`${definition.name}.svg`, directory), Plot.render(plot))
  }
}
