/** @file Text on the real engine: streamed as it is made, the same however it is asked for, and left at once. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTextModel, type TextModel, type TextRequest } from "../../../src/trainer/generate/index.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));

let model: TextModel;
beforeAll(async () => {
  model = await openTextModel({ model: NANO, threads: 1 });
});
afterAll(() => model.close());

const ask = (seed: number): TextRequest => ({
  messages: [{ role: "user", content: "Which material is tough?" }],
  // A penalty keeps the small model from stopping early.
  sampling: { seed, temperature: 1.5, maxNewTokens: 100, repetitionPenalty: 1.2 },
});

it("gives one seed one reply: streamed, alone, in a batch, beside other calls", async () => {
  const together = await model.generate([ask(1), ask(2), ask(3)]);
  const streams = [1, 2, 3].map(async (seed) => {
    let content = "";
    for await (const part of model.stream(ask(seed))) if (part.kind === "content") content += part.text;
    return content;
  });
  expect(await Promise.all(streams)).toEqual(together.map(({ content }) => content));
  const [alone] = await model.generate([ask(2)]);
  expect(alone).toEqual(together[1]);
  expect(new Set(together.map(({ text }) => text)).size).toBe(3);
  for (const { ids, text } of together) expect(model.tokenizer.decode(ids)).toBe(text);
});

it("comes in several parts, and a reader who leaves ends the request", async () => {
  const long: TextRequest = { prompt: "The", sampling: { seed: 4, temperature: 2, maxNewTokens: 400 } };
  const start = performance.now();
  const [whole] = await model.generate([long]);
  const wholeMs = performance.now() - start;
  const leaving = performance.now();
  let shown = "";
  for await (const part of model.stream(long)) {
    if (part.kind === "content") shown += part.text;
    if (shown !== "") break;
  }
  expect(whole!.text.startsWith(shown)).toBe(true);
  expect(shown.length).toBeLessThan(whole!.text.length);
  expect(performance.now() - leaving).toBeLessThan(wholeMs);
});

it("stops where a stop string is complete", async () => {
  const [whole] = await model.generate([ask(5)]);
  const stop = whole!.text.slice(10, 14);
  const [cut] = await model.generate([{ ...ask(5), sampling: { ...ask(5).sampling, stop: [stop] } }]);
  expect(cut).toMatchObject({ stopString: stop, finishReason: "stop" });
  expect(cut!.text).toBe(whole!.text.slice(0, whole!.text.indexOf(stop)));
});
