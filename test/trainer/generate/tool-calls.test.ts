/** @file Tool calls: rendered where the template takes tools, read out of replies, never at the cost of the text. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTextModel, type TextModel } from "../../../src/trainer/generate/index.js";
import { type ContentOrCall, createToolCallSplit, parseCalls } from "../../../src/trainer/generate/tool-calls.js";
import { scriptedPolicy } from "../../support/scripted-policy.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));

function split(pieces: readonly string[]) {
  const each = createToolCallSplit(["weigh"]);
  const parts: ContentOrCall[] = [...pieces.flatMap((piece) => each.push(piece)), ...each.finish()];
  return {
    content: parts.map((part) => (part.kind === "content" ? part.text : "")).join(""),
    calls: parts.flatMap((part) => (part.kind === "call" ? [{ name: part.call.name, args: part.call.arguments }] : [])),
  };
}
const WEIGH = '{"name": "weigh", "arguments": {"stone": "nacre"}}';
const CALL = { name: "weigh", args: { stone: "nacre" } };

describe("calls in a reply", () => {
  it.each<[string, string, ReturnType<typeof split>]>([
    [
      "between tags (Hermes, Qwen)",
      `I weigh it.\n<tool_call>\n${WEIGH}\n</tool_call>`,
      { content: "I weigh it.", calls: [CALL] },
    ],
    [
      "one after the other",
      `<tool_call>${WEIGH}</tool_call>\n<tool_call>${WEIGH}</tool_call>\n`,
      { content: "", calls: [CALL, CALL] },
    ],
    [
      "as a list between tags (SmolLM)",
      `<tool_call>[${WEIGH}, ${WEIGH}]</tool_call>`,
      { content: "", calls: [CALL, CALL] },
    ],
    ["with text behind", `<tool_call>${WEIGH}</tool_call>\n\nDone.`, { content: "Done.", calls: [CALL] }],
    ["without the end tag", `<tool_call>${WEIGH}`, { content: "", calls: [CALL] }],
    [
      "with arguments in a string",
      '<tool_call>{"name": "weigh", "arguments": "{\\"stone\\": \\"nacre\\"}"}</tool_call>',
      { content: "", calls: [CALL] },
    ],
    [
      "as bare JSON with parameters (Llama 3)",
      ' {"name": "weigh", "parameters": {"stone": "nacre"}}\n',
      { content: "", calls: [CALL] },
    ],
    [
      "without arguments",
      '<tool_call>{"name": "list"}</tool_call>',
      { content: "", calls: [{ name: "list", args: {} }] },
    ],
  ])("%s are taken out", (_, reply, expected) => {
    expect(split([reply])).toEqual(expected);
  });
  it.each([
    "<tool_call>{not json}</tool_call> and more",
    '<tool_call>{"name": 7}</tool_call>',
    "<tool_call>[]</tool_call>",
    '<tool_call>{"name": "weigh", "arguments": [1]}</tool_call>',
    "a < b, <tool_cal",
    '{"name": "another tool", "parameters": {}}',
    '{"answer": 42}\n',
    "  {nothing",
    "plain text\n",
  ])("that cannot be read stay in the text: %s", (reply) => {
    expect(split([reply])).toEqual({ content: reply, calls: [] });
  });
  it("do not depend on how the reply is cut", () => {
    const unit = fc.constantFrom("<tool_call>", "</tool_call>", WEIGH, " ", "\n", "x", "{", "<", "tool_call>");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 9 }), fc.array(fc.nat(300), { maxLength: 8 }), (text, cuts) => {
        const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
        expect(split(at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(split([text]));
      }),
      { seed: 8, numRuns: 1000 },
    );
  });
  it("have ids of nine letters and digits, each its own", () => {
    const ids = parseCalls(`[${WEIGH}, ${WEIGH}]`)!.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{9}$/);
  });
});

describe("a model whose template takes tools", () => {
  const TEMPLATE = [
    "{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif -%}",
    "{%- for m in messages -%}<|{{ m.role }}|>{{ m.content }}",
    "{%- for call in m.tool_calls or [] %}[{{ call.id }} {{ call.function.name }} {{ call.function.arguments | tojson }}]{% endfor -%}",
    "{%- if m.tool_call_id %}({{ m.tool_call_id }}){% endif -%}<|end|>{%- endfor -%}",
    "{%- if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined %}<|thinking|>{% endif %}{% endif -%}",
  ].join("");
  let dir: string;
  let model: TextModel;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "preflexor-tools-"));
    await cp(NANO, dir, { recursive: true });
    await writeFile(join(dir, "chat_template.jinja"), TEMPLATE);
    const policy = scriptedPolicy({
      contextLength: 512,
      chunk: 1,
      reply: () => ({ ids: [...model.tokenizer.encode(`why<|/thinking|>so\n<tool_call>${WEIGH}</tool_call>`)] }),
    });
    model = await openTextModel({ model: dir, policy });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const ask = { role: "user", content: "Weigh it." } as const;
  const weigh = { name: "weigh", description: "Weighs.", parameters: { type: "object" } } as const;
  const rendered = (request: Parameters<TextModel["prepare"]>[0]): string =>
    model.tokenizer.decode(model.prepare(request).ids);

  it("shows them as templates expect them", () => {
    expect(model.template?.takesTools).toBe(true);
    const json = JSON.stringify({ type: "function", function: weigh });
    const text = rendered({ messages: [ask], tools: [weigh] });
    expect(JSON.parse(/<tools>(.*)<\/tools>/.exec(text)?.[1] ?? "")).toEqual(JSON.parse(json));
    expect(text).toMatch(/<\|user\|>Weigh it\.<\|end\|><\|assistant\|>$/);
  });
  it("shows earlier calls and their results", () => {
    const call = { id: "abc", name: "weigh", arguments: { stone: "nacre" } };
    const text = rendered({
      messages: [
        ask,
        { role: "assistant", content: "", toolCalls: [call] },
        { role: "tool", content: "3 g", toolCallId: "abc", name: "weigh" },
      ],
    });
    expect(text).toContain('[abc weigh {"stone": "nacre"}]');
    expect(text).toContain("<|tool|>3 g(abc)<|end|><|assistant|>");
  });
  it("wants results before it goes on from a call", () => {
    const call = { id: "abc", name: "weigh", arguments: {} };
    const request = { messages: [ask, { role: "assistant", content: "", toolCalls: [call] } as const] };
    expect(() => model.prepare(request)).toThrow(
      /messages\[1\]: the last message calls tools; add a message of role tool/,
    );
  });
  it("streams thinking, text and calls, each apart; the template may open the thinking section", async () => {
    const kinds: string[] = [];
    const request = { messages: [ask], tools: [weigh], templateArguments: { enable_thinking: true } };
    for await (const part of model.stream(request)) {
      if (part.kind === "toolCall")
        expect(part).toMatchObject({ index: 0, call: { name: "weigh", arguments: CALL.args } });
      if (part.kind === "end") {
        expect(part.reply).toMatchObject({ reasoning: "why", content: "so", toolCalls: [{ name: "weigh" }] });
        expect(part.reply.text).toContain("<tool_call>");
      }
      if (kinds.at(-1) !== part.kind) kinds.push(part.kind);
    }
    expect(kinds).toEqual(["reasoning", "content", "toolCall", "end"]);
  });
  it("leaves calls in the text where the request had no tools", async () => {
    const [reply] = await model.generate([{ messages: [ask] }]);
    expect(reply).toMatchObject({ toolCalls: [], content: expect.stringContaining(`<tool_call>${WEIGH}</tool_call>`) });
  });
});
