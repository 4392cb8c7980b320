/** @file llama.cpp through node-llama-cpp: greedy decoding of given token ids, with flash attention and without. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { getLlama } from "node-llama-cpp";
import { readJob, report, timed, warmupPrompts } from "./measure.mjs";

const WARMUP_TOKENS = 4;

const { model: file, prompts, newTokens, threads } = await readJob();
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const model = await llama.loadModel({ modelPath: file });
const longest = Math.max(...prompts.map((prompt) => prompt.length));

/** All rows take a step together: left to themselves, they would each be decoded alone, in a batch of one. */
async function decode(sequences, rows, count, arrived) {
  // An end token is one like any other here.
  const options = { temperature: 0, yieldEogToken: true };
  const replies = rows.map((prompt, row) => sequences[row].evaluate(prompt, options));
  for (let step = 0; step < count; step += 1) {
    await Promise.all(
      replies.map(async (reply, row) => {
        const { value } = await reply.next();
        arrived(row, [value]);
      }),
    );
  }
  await Promise.all(replies.map((reply) => reply.return()));
}

async function run(settings) {
  const context = await model.createContext({
    ...settings,
    sequences: prompts.length,
    contextSize: longest + newTokens + 8,
    threads,
  });
  const sequences = prompts.map(() => context.getSequence());
  try {
    await decode(sequences, warmupPrompts(prompts), WARMUP_TOKENS, () => {});
    for (const sequence of sequences) await sequence.clearHistory();
    const measured = await timed(prompts.length, (arrived) => decode(sequences, prompts, newTokens, arrived));
    return { settings, ...measured };
  } finally {
    await context.dispose();
  }
}

const runs = [];
for (const flashAttention of [false, true]) runs.push(await run({ flashAttention, batchSize: 512 }));
const version = JSON.parse(
  await readFile(join(import.meta.dirname, "node_modules/node-llama-cpp/package.json"), "utf8"),
).version;
report(`node-llama-cpp ${version} (llama.cpp ${llama.llamaCppRelease.release})`, runs);
