import { defineConfig } from "vitest/config"

/** The package, installed by npm and run by every Node that it supports: `npm run test:package`. Not part of `npm test`. */
export default defineConfig({
  test: {
    pool: "forks",
    include: ["test/package/**/*.test.ts"],
    maxWorkers: 1,
    // Each Node is about 100 MB to download.
    testTimeout: 300_000,
    hookTimeout: 300_000
  }
})
