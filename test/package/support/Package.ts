/** The package as it would be published, and projects of users that have it installed. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)
export const root = fileURLToPath(new URL("../../../", import.meta.url))
const programs = fileURLToPath(new URL("../programs/", import.meta.url))

/** What each program has to print. */
export const expected: { readonly [program: string]: object } = {
  "plain.mjs": {
    members: 2,
    value: { name: "Ada", born: "1970-01-01T00:00:00.000Z", tags: {} },
    tags: ["a"],
    refused: "InvalidKey"
  },
  "effects.mjs": { user: true, tag: "InvalidKey", simulated: 1 },
  "required.cjs": { value: 1, same: true, doors: ["function", "function"], version: manifest().version },
  "idle.mjs": { started: [], written: [] },
  "typed.ts": { effect: "Ada", standalone: "Ada", simulation: true, invariants: 11 }
}

/** A CommonJS module in TypeScript, which may `require` ES modules. A file of it would not compile under the rules of this repository. */
const commonJs = `import { open, type Standalone } from "mccache/standalone"
export const start = (): Promise<Standalone> => open({ cluster: "package", interface: "127.0.0.1" })
`

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly files: ReadonlyArray<string>
  readonly exports: { readonly [door: string]: string | { readonly types: string; readonly default: string } }
  readonly bin: { readonly [command: string]: string }
  readonly engines: { readonly node: string }
}

/** The `package.json` of the repository. */
export function manifest(): Manifest {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
}

export interface Packed {
  readonly tarball: string
  readonly bytes: number
  readonly files: ReadonlyArray<string>
}

/** A temporary directory that `remove` removes. */
export const temporary = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "mccache-package-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Settings of whoever runs the tests, and what npm tells the programs that it runs, are not those of a user. */
const environment = (own: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      !/^(MCCACHE_|TEST_|VITEST|NODE_OPTIONS$|NODE_ENV$|NODE_PATH$|INIT_CWD$|npm_(package|lifecycle|command|config_local_prefix))/i
        .test(name)
    )
  ),
  ...own
})

/** Runs a command to its end, and answers what it printed. What it said is in the error if it fails. */
export const execute = async (
  cwd: string,
  command: string,
  parameters: ReadonlyArray<string>,
  own: NodeJS.ProcessEnv = {},
  timeout = 300_000
): Promise<string> => {
  const { stdout } = await run(command, parameters, {
    cwd,
    env: environment(own),
    maxBuffer: 64 * 1_048_576,
    timeout,
    killSignal: "SIGKILL"
  }).catch((error) => {
    throw new Error(`${command} ${parameters.join(" ")} failed:\n${error.message}\n${error.stdout}${error.stderr}`)
  })
  return stdout
}

const compiler = join(root, "node_modules/typescript/bin/tsc")

/** Builds and packs what is in the working tree, without touching its own `dist`. */
export const pack = async (into: string): Promise<Packed> => {
  const staged = join(into, "staged")
  mkdirSync(staged)
  for (const file of ["package.json", ...manifest().files.filter((name) => !/^(!|dist$)/.test(name))]) {
    cpSync(join(root, file), join(staged, file), { recursive: true })
  }
  await execute(root, process.execPath, [
    compiler,
    "--project",
    join(root, "tsconfig.build.json"),
    "--outDir",
    join(staged, "dist")
  ])
  const answer: unknown = JSON.parse(
    await execute(staged, "npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", into])
  )
  // A list of packages until npm 11, an object with a field for each since.
  const [packed] = Object.values(Object(answer)) as ReadonlyArray<
    { readonly filename: string; readonly size: number; readonly files: ReadonlyArray<{ readonly path: string }> }
  >
  return {
    tarball: join(into, packed.filename),
    bytes: packed.size,
    files: packed.files.map(({ path }) => path)
  }
}

/** An empty project of a user's. */
export const makeProject = (directory: string, name: string): string => {
  const project = join(directory, name)
  mkdirSync(project)
  // What a package may do when it is installed is decided by the project; only the one that brings Node needs to.
  const content = { name, private: true, type: "module", allowScripts: { node: true } }
  writeFileSync(join(project, "package.json"), JSON.stringify(content))
  for (const program of readdirSync(programs)) cpSync(join(programs, program), join(project, program))
  writeFileSync(join(project, "typed.cts"), commonJs)
  return project
}

interface Lock {
  readonly packages: {
    readonly [path: string]: {
      readonly dependencies?: { readonly [name: string]: string }
      readonly peerDependencies?: { readonly [name: string]: string }
      readonly peerDependenciesMeta?: { readonly [name: string]: { readonly optional?: boolean } }
    }
  }
}

/** Where the lock file has everything that the package needs, optional parts left out. */
const required = (): ReadonlyArray<string> => {
  const { packages }: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  const found = new Set<string>()
  const visit = (path: string): void => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = packages[path]
    const peers = Object.keys(peerDependencies ?? {}).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
    for (const name of [...Object.keys(dependencies ?? {}), ...peers]) {
      // As Node looks for it: beside the package's own, then one level up after the other.
      for (let from = path;; from = from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/")))) {
        const candidate = `${from === "" ? "" : `${from}/`}node_modules/${name}`
        if (packages[candidate] !== undefined) {
          if (!found.has(candidate)) {
            found.add(candidate)
            visit(candidate)
          }
          break
        }
        if (from === "") throw new Error(`${path} needs ${name}, which is not in package-lock.json.`)
      }
    }
  }
  visit("")
  return [...found]
}

/**
 * Installs the tarball and what it needs, without its optional parts, from what the repository has installed: quick, and
 * offline.
 */
export const installFromRepository = async (project: string, { tarball }: Packed): Promise<ReadonlyArray<string>> => {
  const installed = join(project, "node_modules/mccache")
  mkdirSync(installed, { recursive: true })
  await execute(project, "tar", ["-xzf", tarball, "--strip-components=1", "-C", installed])
  const paths = required()
  for (const path of paths) {
    // Each package without those nested in it, which are on the list themselves if they are needed.
    const from = join(root, path)
    cpSync(from, join(project, path), {
      recursive: true,
      filter: (file) => !file.endsWith(".map") && !/^\/(node_modules|src)(\/|$)/.test(file.slice(from.length))
    })
  }
  return paths
}

/** Installs with npm, as a user does. */
export const installFromRegistry = async (
  project: string,
  packages: ReadonlyArray<string>,
  ...flags: ReadonlyArray<string>
): Promise<void> => {
  await execute(project, "npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...flags, ...packages])
}

let groups = 0

/** What a program of the project prints, as JSON, run by a Node. Nobody else is in its group. */
export const runProgram = async (project: string, program: string, node = process.execPath): Promise<unknown> =>
  JSON.parse(
    await execute(project, node, [program], {
      MCCACHE_MULTICAST_IP: `224.0.0.3:${20_000 + (process.pid * 16 + groups++) % 40_000}`
    }, 60_000)
  )

/** Compiles the TypeScript programs of the project under a way to find modules, the declarations of the packages included. */
export const typeCheck = async (project: string, moduleResolution: "nodenext" | "bundler"): Promise<void> => {
  const configuration = {
    compilerOptions: {
      exactOptionalPropertyTypes: true,
      // The declarations of Effect name types of the Web Crypto API, which only this library has.
      lib: ["ES2024", "DOM"],
      module: moduleResolution === "nodenext" ? "nodenext" : "esnext",
      moduleResolution,
      noEmit: true,
      skipLibCheck: false,
      strict: true,
      target: "ES2024",
      types: ["node"],
      verbatimModuleSyntax: moduleResolution === "bundler"
    },
    // What a bundler takes has no CommonJS.
    files: moduleResolution === "nodenext" ? ["typed.ts", "typed.cts"] : ["typed.ts"]
  }
  const file = join(project, `tsconfig.${moduleResolution}.json`)
  writeFileSync(file, JSON.stringify(configuration))
  await execute(project, process.execPath, [compiler, "--project", file])
}
