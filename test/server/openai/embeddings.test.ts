/** @file Embeddings and the list of models through OpenAI's client. */
import { BadRequestError, NotFoundError } from "openai";
import { describe, expect, it } from "vitest";
import { EMBEDDER, says, scripted, serve } from "./scripted-model.js";

const fake = () => scripted(() => says("x"), ["tutor"]);
const embedder = { name: "mini", embedder: EMBEDDER };

describe("embeddings", () => {
  it("gives the same vectors as numbers and as base64, in the order of the texts", async () => {
    const { client } = await serve(fake(), { embedder });
    const input = ["a", "abc"];
    const numbers = await client.embeddings.create({ model: "mini", input, encoding_format: "float" });
    expect(numbers.data.map(({ embedding }) => embedding)).toEqual([
      [1, -0.5, Math.fround(1 / 3)],
      [3, -0.5, Math.fround(1 / 3)],
    ]);
    expect(numbers).toMatchObject({ model: "mini", usage: { prompt_tokens: 6, total_tokens: 6 } });
    // Without a format the client asks for base64 and decodes it.
    const decoded = await client.embeddings.create({ model: "mini", input });
    expect(decoded.data.map(({ embedding }) => [...embedding])).toEqual(numbers.data.map(({ embedding }) => embedding));
    const raw = await client.embeddings.create({ model: "mini", input: "a", encoding_format: "base64" });
    expect(raw.data[0]?.embedding).toBe("AACAPwAAAL+rqqo+");
  });

  it("refuses what would be cut, or cuts it where that is asked for", async () => {
    const { client } = await serve(fake(), { embedder });
    const input = ["a", "a b c d e f"];
    await expect(client.embeddings.create({ model: "mini", input })).rejects.toThrow(
      /at most 5 tokens in each text, found input\[1\] has 8/,
    );
    const truncate = { truncate: true };
    const cut = await client.embeddings.create({ model: "mini", input, ...truncate });
    expect(cut.usage.prompt_tokens).toBe(8);
  });

  it.each([
    [{ dimensions: 2 }, /dimensions: expected 3, which is all that mini has, found 2/],
    [{ input: [[1, 2]] }, /input\[0\]: expected text: token ids of another tokenizer/],
    [{ input: [1, 2] }, /input\[0\]: expected text: token ids of another tokenizer/],
    [{ input: [] }, /input: .*found a list/],
    [{ encoding_format: "hex" }, /encoding_format: .*found "hex"/],
    [{ model: "tutor" }, /tutor does not embed; ask mini/],
  ])("refuses %j", async (fields, message) => {
    const { client } = await serve(fake(), { embedder });
    const failed = client.embeddings.create({ model: "mini", input: "x", ...fields } as never);
    await expect(failed).rejects.toThrow(BadRequestError);
    await expect(failed).rejects.toThrow(message);
  });

  it("says how to get an embedder where there is none", async () => {
    const { client } = await serve(fake());
    const ask = (model: string) => client.embeddings.create({ model, input: "x" });
    await expect(ask("small")).rejects.toThrow(/small does not embed; start the server with --embedding-model/);
    await expect(ask("text-embedding-3-small")).rejects.toThrow(NotFoundError);
  });

  it("does not let the embedder chat", async () => {
    const { client } = await serve(fake(), { embedder });
    const ask = client.chat.completions.create({ model: "mini", messages: [{ role: "user", content: "x" }] });
    await expect(ask).rejects.toThrow(/mini embeds text; it does not write any/);
  });
});

describe("models", () => {
  it("are the base, each adapter, and the embedder", async () => {
    const { client } = await serve(fake(), { embedder });
    expect((await client.models.list()).data).toMatchObject([
      { id: "small", object: "model", created: 1_700_000_000, owned_by: "preflexor", max_model_len: 128 },
      { id: "tutor", parent: "small" },
      { id: "mini", max_model_len: 5 },
    ]);
    expect(await client.models.retrieve("tutor")).toMatchObject({ id: "tutor", parent: "small" });
  });

  it("are found by ids with a slash, and paths in an id lead nowhere", async () => {
    const { origin, client } = await serve(scripted(() => says("x"), ["me/tutor"]));
    expect(await client.models.retrieve("me/tutor")).toMatchObject({ id: "me/tutor" });
    expect((await fetch(`${origin}/v1/models/me/tutor`)).status).toBe(200);
    for (const id of ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "small%00", "__proto__"]) {
      await expect(client.models.retrieve(id)).rejects.toThrow(NotFoundError);
    }
    expect((await fetch(`${origin}/v1/models/%zz`)).status).toBe(400);
  });
});
