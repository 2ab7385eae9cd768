/**
 * What a suite of benchmarks is. A case is one subject (McCache or a peer) at one piece of work with one set of parameters;
 * it runs in a fresh process, checks its result before it times anything, and gives figures. Cases of one group do the same
 * work, and are run in turn, so that what changes on the machine hits all of them alike.
 */

export type Parameter = string | number | boolean

export interface Case {
  /** What is compared: all subjects of a group did the same work. `suite/group/subject` names a case. */
  readonly group: string
  /** `mccache`, or the peer's name; variants after a dash: `mccache-effect`. */
  readonly subject: string
  readonly parameters: { readonly [name: string]: Parameter }
}

/** Figures by name; the unit comes last in the name: `getNanos`, `p99Micros`, `operationsPerSecond`, `entryBytes`. */
export type Figures = { readonly [name: string]: number }

/** Thrown by a case that cannot run on this machine: it is reported, and fails nothing. */
export class Skipped extends Error {
  override readonly name = "Skipped"
}

/** One promise of section 13 of the design, judged by what was measured. */
export interface Budget {
  readonly name: string
  readonly bound: string
  readonly measured: string
  readonly met: boolean
}

/** The median over the runs of one figure of one case; `NaN` when it was not run. */
export type Look = (group: string, subject: string, figure: string) => number

export interface Suite {
  /** Also the name of its file in `bench/suites`. */
  readonly name: string
  readonly title: string
  /** How often each case is run; medians over the runs are reported. Default 3, quick 1. */
  readonly runs?: { readonly full: number; readonly quick: number }
  /** A case that takes longer is ended and reported as failed. Default 120. */
  readonly caseSecondsMax?: number
  readonly cases: (quick: boolean) => ReadonlyArray<Case>
  /** Runs one case, in its own process. */
  readonly run: (one: Case) => Promise<Figures>
  /** The budgets that its figures decide. One whose cases were not run is left out. */
  readonly budgets?: (look: Look) => ReadonlyArray<Budget>
}

/** The first thing that a case does with its result: a benchmark of something wrong is worth nothing. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`The result is wrong: ${what}`)
}
