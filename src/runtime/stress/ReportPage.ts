/** The outcome of a stress test as one HTML page that needs nothing beside itself: no script, no address. Pure. */
import type { Sample } from "./Conversation.ts"
import * as LinePlot from "./LinePlot.ts"
import { drained, type Moment, type Outcome, table } from "./Outcome.ts"

const style = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2128; --quiet: #667; --rule: #d5d9e0; --pass: #1a7f37; --fail: #c2252b }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15191f; --ink: #e4e7ec; --quiet: #98a0ad; --rule: #333b47; --pass: #4ac26b; --fail: #ff7b72 }
}
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.pass { color: var(--pass) } .fail { color: var(--fail) } .quiet, figcaption span, svg text { color: var(--quiet); fill: var(--quiet) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; font-weight: normal }
th:first-child, td:first-child, .differences td { text-align: left } .differences td { white-space: normal }
thead th { color: var(--quiet) }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
figure { margin: 0 } svg { width: 100%; height: auto } svg text { font-size: 11px }
svg path { fill: none; stroke-width: 1.6; stroke-linejoin: round } .grid { stroke: var(--rule) }
.legend span { display: inline-block; margin-right: 1rem } .legend i { display: inline-block; width: 0.8rem; height: 0.8rem; margin-right: 0.3rem; border-radius: 2px }
`

/** Of many differences the first tell enough. */
const differencesShown = 200

const mebibyte = 1_048_576

/** What is plotted of a member at a moment, given the moment before. */
const figures: ReadonlyArray<{
  readonly title: string
  readonly unit: string
  readonly of: (sample: Sample, previous: Sample | undefined, seconds: number) => number | undefined
}> = [
  {
    title: "Operations",
    unit: "per second",
    of: ({ operations }, previous, seconds) =>
      previous === undefined ? undefined : (operations - previous.operations) / seconds
  },
  { title: "Entries", unit: "held", of: ({ entries }) => entries },
  { title: "Waiting to be sent", unit: "keys", of: ({ outbox }) => outbox },
  { title: "Lost datagrams", unit: "since the start", of: ({ lost }) => lost },
  { title: "Sent again", unit: "datagrams since the start", of: ({ repaired }) => repaired },
  {
    title: "Processor",
    unit: "% of a core",
    of: ({ cpuMillis }, previous, seconds) =>
      previous === undefined ? undefined : (cpuMillis - previous.cpuMillis) / seconds / 10
  },
  { title: "Resident memory", unit: "MiB", of: ({ residentBytes }) => residentBytes / mebibyte }
]

const plots = (moments: ReadonlyArray<Moment>, members: number): ReadonlyArray<LinePlot.Plot> =>
  figures.map(({ of, title, unit }) => ({
    title,
    unit,
    series: Array.from({ length: members }, (_, member) => ({
      name: `member ${member + 1}`,
      points: moments.map((moment, index) => {
        const before = moments[index - 1]
        const sample = moment.members[member]
        const seconds = (moment.millis - (before?.millis ?? 0)) / 1_000
        return {
          seconds: moment.millis / 1_000,
          value: sample === undefined ? undefined : of(sample, before?.members[member], seconds)
        }
      })
    }))
  }))

const { escape } = LinePlot

const row = (cells: ReadonlyArray<string>, tag: "td" | "th" = "td"): string =>
  `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`

export const html = (outcome: Outcome): string => {
  const { differences, forgotten, keys, machine, members, moments, plan, problems, result } = outcome
  const { header, rows } = table(members)
  const about =
    `${plan.members} members, ${plan.keys} keys, ${plan.sizes} values, aperture ${plan.apertureMillis} ms, ` +
    `${plan.tantrumPercent} % of datagrams dropped, mode ${plan.mode}, seed ${plan.seed}, ` +
    `${plan.namespaces ? "network namespaces" : "loopback"}`
  const where = `${outcome.startedAt} · mccache ${machine.version} · Node ${machine.node} · ${machine.platform} · ` +
    `${machine.cores} cores of ${machine.processor}`
  const found = problems.length === 0
    ? ""
    : `<h2>Why it failed</h2><ul>${problems.map((problem) => `<li>${escape(problem)}</li>`).join("")}</ul>`
  const shown = differences.slice(0, differencesShown)
  const differ = shown.length === 0
    ? ""
    : `<h2>Differences${shown.length < differences.length ? `, ${shown.length} of ${differences.length}` : ""}</h2>` +
      `<div class="scroll"><table class="differences"><thead>${row(["key", "kind", "how"], "th")}</thead><tbody>${
        shown.map(({ how, key, kind }) => row([key, kind, how])).join("")
      }</tbody></table></div>`
  const legend = Array.from(
    { length: plan.members },
    (_, index) => `<span><i style="background:${LinePlot.colourOf(index)}"></i>member ${index + 1}</span>`
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>McCache stress test: ${result}</title>
<style>${style}</style>
</head>
<body>
<h1>McCache stress test: <span class="${result}">${result}</span></h1>
<p>${escape(about)}.<br>${(outcome.ranMillis / 1_000).toFixed(1)} s, ${keys} keys compared, drained in ${
    escape(drained(outcome))
  }${forgotten === 0 ? "" : `, ${forgotten} own keys forgotten by all`}.</p>
<p class="quiet">${escape(where)}</p>
${found}${differ}
<h2>Members</h2>
<div class="scroll"><table><thead>${row(header, "th")}</thead><tbody>${
    rows.map((cells) => row(cells)).join("")
  }</tbody></table></div>
<h2>Over time</h2>
<p class="legend">${legend.join("")}</p>
<div class="plots">${plots(moments, plan.members).map(LinePlot.svg).join("")}</div>
</body>
</html>
`
}
