/** @file The training that is on while the MCP server is measured: one LoRA step after the other, in a process of its own as runs are. */
import { yieldToOthers } from "../dist/server/runs/spawn-worker.js";
import { openPolicy } from "../dist/trainer/index.js";
import { benchModel, benchPairs, tokenized } from "./model.js";
import { parseOptions } from "./options.js";
import { policyOptions } from "./ours.js";

// As the server starts its runs.
yieldToOthers(process.pid);
const [threads = "1", path] = process.argv.slice(2);
const options = parseOptions(["--threads", threads]);
const model = await benchModel(path);
const pairs = benchPairs(16, model.vocabulary, options.promptTokens, options.answerTokens).map(tokenized);
const policy = await openPolicy(policyOptions(model, options));
let steps = 0;
let stopping = false;

/** Each step is told of; the first one also that the training is on. */
async function train(): Promise<void> {
  while (!stopping) {
    const pair = pairs.slice(steps % pairs.length, (steps % pairs.length) + 1);
    await policy.trainStep({ pairs: pair, texts: [] }, STEP);
    steps += 1;
    process.send?.({ steps });
  }
}

const STEP = {
  loss: "orpo",
  learningRate: 1e-5,
  beta: 0.1,
  labelSmoothing: 0,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 1 << 20,
} as const;

process.once("SIGTERM", () => {
  stopping = true;
});
await train().finally(() => policy.close());
process.exit(0);
