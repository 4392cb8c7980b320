import suite from "./vitest.config.js";

// Whole demos, runs and trainings from outside, end to end; the suite holds the same pieces one by one.
export default { ...suite, test: { ...suite.test, include: ["test/**/*.slow.test.ts"], exclude: [] } };
