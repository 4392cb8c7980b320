/** @file A whole training from a config and a data file, on the package's own small model. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadTokenizer, parseTrainConfig, type TrainEvent, train } from "../../../src/trainer/index.js";
import { collect, inTempDir } from "./loop-support.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));
const reply = (answer: string): string => `<|thinking|>Iron is a metal.<|/thinking|>\n${answer}`;
const ROWS = [
  { prompt: "Is iron a metal?", chosen: reply("Yes, it is."), rejected: reply("No, it is not.") },
  { prompt: "Is iron a metal?", chosen: "Yes.", rejected: "Yes." },
  { prompt: [{ role: "user", content: "Is it hard?" }], chosen: reply("It is hard."), rejected: reply("It is soft.") },
  { prompt: "Is it long?", chosen: reply("word ".repeat(300)), rejected: "No." },
];

const settings = (out: string, more: Readonly<Record<string, unknown>> = {}) => ({
  model: NANO,
  output_dir: out,
  loss_type: "exo_pair",
  dynamic_answer_comparison: true,
  max_length: 200,
  max_prompt_length: 100,
  lora_r: 2,
  max_steps: 2,
  threads: 1,
  ...more,
});

const ofKind = (events: readonly TrainEvent[], kind: TrainEvent["kind"]) =>
  events.filter((event) => event.kind === kind);

describe("train", () => {
  it("reads pairs from a file, names the lines that it leaves out, and writes adapter, metrics and a checkpoint", async () => {
    await inTempDir(async (directory) => {
      const pairs = join(directory, "pairs.jsonl");
      await writeFile(pairs, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));
      const out = join(directory, "out");
      const events = await collect(train(parseTrainConfig(settings(out, { pairs }))));
      expect(ofKind(events, "rows-left-out")).toMatchObject([
        {
          of: "training",
          unit: "line",
          rows: [
            { number: 2, reason: /same/ },
            { number: 4, reason: /max_length/ },
          ].map(({ number, reason }) => ({ number, reason: expect.stringMatching(reason) })),
        },
      ]);
      expect(ofKind(events, "step")).toHaveLength(2);
      const [first] = ofKind(events, "step");
      // The policy is its own reference before the first step: the loss of EXO there is known.
      expect(first).toMatchObject({ metrics: { loss: expect.closeTo(1.95851777, 4) } });
      expect(await readFile(join(out, "adapter", "adapter_config.json"), "utf8")).toContain('"r": 2');
      expect((await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(2);
      expect(ofKind(events, "checkpoint")).toMatchObject([{ step: 2 }]);

      // The next phase begins with that adapter.
      const next = settings(join(directory, "next"), { pairs, adapter: join(out, "adapter"), max_steps: 1 });
      const second = await collect(train(parseTrainConfig(next)));
      expect(ofKind(second, "step")[0]).toMatchObject({ metrics: { loss: expect.closeTo(1.95851777, 4) } });
    });
  });

  it("turns markers into tokens where asked to, trains their rows, and gives the tokenizer to what it saves", async () => {
    await inTempDir(async (directory) => {
      const pairs = join(directory, "pairs.jsonl");
      const marked = (answer: string): string => `<plan>Iron is a metal.</plan>\n${answer}`;
      const row = { prompt: "Is iron a metal?", chosen: marked("Yes, it is."), rejected: marked("No, it is not.") };
      await writeFile(pairs, `${JSON.stringify(row)}\n`);
      const out = join(directory, "out");
      const markers = { think_start_token: "<plan>", think_end_token: "</plan>", thinking_markers: "tokens" };
      await collect(train(parseTrainConfig(settings(out, { pairs, ...markers, max_steps: 1 }))));
      const adapter = JSON.parse(await readFile(join(out, "adapter", "adapter_config.json"), "utf8"));
      const tokenizer = await loadTokenizer(join(out, "checkpoint-1"));
      const ids = [...tokenizer.encode("<plan></plan>")];
      expect(ids).toHaveLength(2);
      expect(JSON.stringify(adapter.trainable_token_indices)).toContain(String(ids[0]));
      const resume = settings(out, { pairs, ...markers, max_steps: 2, resume_from_checkpoint: true });
      const events = await collect(train(parseTrainConfig(resume)));
      expect(ofKind(events, "started")).toMatchObject([{ step: 1 }]);
    });
  });

  it("learns from packed raw text", async () => {
    await inTempDir(async (directory) => {
      const texts = join(directory, "text.txt");
      await writeFile(texts, "Iron is a metal. Copper is a metal too. ".repeat(20));
      const raw = { model: NANO, output_dir: join(directory, "out"), loss_type: "sft", texts, packing: true };
      const config = parseTrainConfig({
        ...raw,
        max_length: 32,
        lora_r: 2,
        max_steps: 6,
        learning_rate: 1e-2,
        threads: 1,
      });
      const events = await collect(train(config));
      const losses = ofKind(events, "step").map((event) => (event.kind === "step" ? event.metrics["loss"]! : 0));
      expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.9);
    });
  });

  it("refuses a training without data before it opens the model", async () => {
    await inTempDir(async (directory) => {
      const config = parseTrainConfig(settings(join(directory, "out"), { model: join(directory, "nowhere") }));
      await expect(collect(train(config))).rejects.toThrow(/expected data to train on, found none: give pairs/);
    });
  });
});
