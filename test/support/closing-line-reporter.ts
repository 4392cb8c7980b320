/** @file Closes the test output with one plain line of counts, whatever else was printed. */
import type { Reporter, TestModule } from "vitest/node";

export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
      if (module.errors().length > 0) count.failed += 1;
    }
    const failed = count.failed + count.pending;
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
    // Vitest prints its own summary from another reporter; writing on exit keeps this line last.
    process.once("exit", () => process.stdout.write(`${count.passed} passed, ${failed} failed${skipped}\n`));
  }
}
