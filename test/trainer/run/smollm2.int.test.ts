/** @file The real small checkpoint: SmolLM2-135M-Instruct as scripts/get-smollm2.py writes it. Skipped where it is absent. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadChatTemplate, loadTokenizer, openPolicy, type Policy } from "../../../src/trainer/index.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const MODEL = fileURLToPath(new URL("../../../.cache/smollm2-135m-instruct/", import.meta.url));
const GOLDEN = join(MODEL, "golden.json");
const present = existsSync(GOLDEN);

interface Golden {
  readonly chat: { role: "user" | "system" | "assistant"; content: string }[];
  readonly prompt_ids: number[];
  readonly output_ids: number[];
  readonly output_token_logps: number[];
  readonly tokenized: { text: string; ids: number[] }[];
}

describe.skipIf(!present)(`SmolLM2-135M-Instruct${present ? "" : " (absent: run scripts/get-smollm2.py)"}`, () => {
  let policy: Policy;
  let golden: Golden;
  beforeAll(async () => {
    golden = JSON.parse(readFileSync(GOLDEN, "utf8")) as Golden;
    policy = await openPolicy({ model: MODEL, trainable: GOLDEN_LORA, seed: 1 });
  });
  afterAll(() => policy?.close());

  it("renders and tokenizes a chat as transformers does", async () => {
    const [tokenizer, template] = await Promise.all([loadTokenizer(MODEL), loadChatTemplate(MODEL)]);
    const text = template.render(golden.chat, { addGenerationPrompt: true });
    expect([...tokenizer.encode(text)]).toEqual(golden.prompt_ids);
    for (const { text: sample, ids } of golden.tokenized) expect([...tokenizer.encode(sample)], sample).toEqual(ids);
  });

  it("picks transformers' greedy tokens", async () => {
    const [generation] = await policy.generate([{ ids: Int32Array.from(golden.prompt_ids), seed: 1 }], {
      maxNewTokens: golden.output_ids.length,
      temperature: 0,
      topP: 1,
      stopTokenIds: [],
    });
    expect([...(generation?.ids ?? [])]).toEqual(golden.output_ids);
    generation?.logps.forEach((logp, i) => {
      expect(Math.abs(logp - (golden.output_token_logps[i] as number))).toBeLessThan(1e-3);
    });
  });
});
