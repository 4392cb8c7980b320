import { defineConfig } from "vitest/config";

// What needs npm's registry and minutes: the packed tarball and the bundle, installed and started as a user does it.
export default defineConfig({
  test: {
    include: ["test/package/*.package.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    reporters: ["default", "./test/support/closing-line-reporter.ts"],
  },
});
