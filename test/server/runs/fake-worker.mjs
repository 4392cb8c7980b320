/** @file Stands for the process of a run: takes its lock as the real one does, and then works, fails or dies as it is told. */
import { join } from "node:path";
import { lockRun } from "../../../dist/agents/teaching/run-lock.js";
import { openActivityLog, writeOutcome } from "../../../dist/agents/teaching/run-status.js";
import { writeWhole } from "../../../dist/agents/write-whole.js";

const [directory, what] = process.argv.slice(2);
if (what === "die") {
  process.stderr.write("no such model\n");
  process.exit(3);
}
const release = await lockRun(directory);
const activity = await openActivityLog(directory);
activity.report({ stage: "train", phase: "orpo", round: 1, done: 1, total: 4 });
const end = async (code) => {
  await activity.close();
  await release();
  process.exit(code);
};
if (what === "fail") {
  await writeOutcome(directory, { status: "failed", message: "the model cannot be opened: it is none" });
  await end(1);
}
if (what === "finish") {
  await writeWhole(join(directory, "state.json"), JSON.stringify({ finished: true }));
  await end(0);
}
process.on("SIGINT", async () => {
  await writeOutcome(directory, { status: "cancelled", message: "stopped by a signal" });
  await end(130);
});
// A test that was broken off must not leave it behind.
setTimeout(() => process.exit(1), 60_000);
