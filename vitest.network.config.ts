import { defineConfig } from "vitest/config"

/** Processes in network namespaces: `npm run test:network`, as root. Not part of `npm test`. */
export default defineConfig({
  test: {
    pool: "forks",
    include: ["test/network/**/*.test.ts"],
    // Most of the time they wait; each has a network of its own.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000
  }
})
