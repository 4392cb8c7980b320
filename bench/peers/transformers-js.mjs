/** @file transformers.js on onnxruntime-node: greedy decoding of given token ids, all rows as one batch. */
import { basename, dirname } from "node:path";
import { AutoModelForCausalLM, BaseStreamer, env, Tensor } from "@huggingface/transformers";
import { readJob, report, timed, warmupPrompts } from "./measure.mjs";

const WARMUP_TOKENS = 4;

const { model: folder, prompts, newTokens, threads } = await readJob();
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const model = await AutoModelForCausalLM.from_pretrained(basename(folder), {
  dtype: "fp32", // The file is onnx/model.onnx, whatever its weights are.
  device: "cpu",
  session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
});

/** Its first call hands over the prompts. */
class Arrivals extends BaseStreamer {
  constructor(arrived) {
    super();
    this.arrived = arrived;
    this.isPrompt = true;
  }
  put(rows) {
    if (!this.isPrompt) rows.forEach((ids, row) => void this.arrived(row, ids.map(Number)));
    this.isPrompt = false;
  }
  end() {}
}

function generate(rows, count, arrived) {
  const dims = [rows.length, rows[0].length];
  const ids = BigInt64Array.from(rows.flat(), BigInt);
  return model.generate({
    input_ids: new Tensor("int64", ids, dims),
    attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
    do_sample: false,
    max_new_tokens: count,
    min_new_tokens: count,
    streamer: new Arrivals(arrived),
  });
}

await generate(warmupPrompts(prompts), WARMUP_TOKENS, () => {});
const measured = await timed(prompts.length, (arrived) => generate(prompts, newTokens, arrived));
report(`transformers.js ${env.version}`, [{ settings: {}, ...measured }]);
