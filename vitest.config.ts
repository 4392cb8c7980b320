import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests import "../src/…" (types from the source) and run against dist/: what is tested is what is published,
// and the forked engine process finds its compiled entry beside itself.
const dist = fileURLToPath(new URL("./dist/", import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(?!page\/)/, replacement: dist }] },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/**/*.slow.test.ts"],
    pool: "forks",
    // Modules are loaded once a worker: importing LangChain anew for each file took longer than many of the files.
    isolate: false,
    maxWorkers: 3,
    // Engines of several workers share the cores: a second thread of each would only spin for its turn.
    env: { PREFLEXOR_THREADS: "1" },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
    reporters: ["default", "./test/support/closing-line-reporter.ts"],
  },
});
