/** @file A conversation at the command line, on a policy with a script. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type ChatSessionOptions, createChatSession } from "../../src/server/chat-session.js";
import { openTextModel } from "../../src/trainer/index.js";
import { readSupervised } from "../../src/trainer/text/index.js";
import { scriptedPolicy } from "../support/scripted-policy.js";

const NANO = fileURLToPath(new URL("../../models/nano", import.meta.url));

/** A chat with a model that says these replies in turn, a token at a time. */
async function chatting(replies: readonly string[], options: Partial<ChatSessionOptions> = {}, colours = false) {
  let said = 0;
  const policy = scriptedPolicy({
    contextLength: 100,
    chunk: 1,
    reply: () => ({ ids: [...model.tokenizer.encode(replies[said++] ?? "")] }),
  });
  const model = await openTextModel({ model: NANO, policy });
  const shown = { out: "", notes: [] as string[] };
  const session = createChatSession({
    model,
    sampling: { seed: 5 },
    adapter: "on",
    hideThinking: false,
    think: false,
    output: {
      write: (text) => {
        shown.out += text;
      },
      note: (text) => shown.notes.push(text),
      colours,
    },
    ...options,
  });
  const prompts = (): string[] => policy.calls.map(({ requests }) => model.tokenizer.decode(requests[0]!.ids));
  return { session, shown, policy, prompts };
}
const THOUGHT = "<|thinking|>\nlayers slide\n<|/thinking|>\nnacre";

it("remembers the answers, without their thinking, and has a new seed for each turn", async () => {
  const { session, prompts, policy } = await chatting([THOUGHT, "yes"]);
  expect(await session.take("Which? ")).toBe("done");
  expect(await session.take("Sure?")).toBe("done");
  expect(prompts()[1]).toBe("<|user|>Which?<|end|><|assistant|>nacre<|end|><|user|>Sure?<|end|><|assistant|>");
  expect(policy.calls.map(({ requests }) => requests[0]!.seed)).toEqual([5, 6]);
});
it.each<[string, boolean, Partial<ChatSessionOptions>, string]>([
  ["in a pipe stands between its markers", false, {}, "<|thinking|>\nlayers slide\n<|/thinking|>\nnacre\n"],
  ["at a terminal is dimmed", true, {}, "\u001b[2mlayers slide\u001b[0m\nnacre\n"],
  ["may be hidden", true, { hideThinking: true }, "nacre\n"],
])("thinking %s", async (_, colours, options, expected) => {
  const { session, shown } = await chatting([THOUGHT], options, colours);
  await session.take("Which?");
  expect(shown.out).toBe(expected);
});
it("ends dimming where the thinking never ends", async () => {
  const { session, shown } = await chatting(["<|thinking|>layers"], {}, true);
  await session.take("Which?");
  expect(shown.out).toBe("\u001b[2mlayers\u001b[0m\n");
});
it("asks for thinking in every turn where it is told to, once", async () => {
  const { session, prompts } = await chatting(["a", "b"], { think: true });
  await session.take("Which?");
  await session.take("Why? Use <|thinking|>.");
  expect(prompts()[1]).toMatch(/Which\? Use <\|thinking\|>\.<\|end\|>.*<\|user\|>Why\? Use <\|thinking\|>\.<\|end\|>/);
});
it("stops a reply, keeps what was shown, and goes on", async () => {
  const { session, shown, prompts, policy } = await chatting(["one two three four five six seven", "done"]);
  expect(session.stop()).toBe(false);
  const taking = session.take("Count.");
  while (shown.out.length < 5) await new Promise((resolve) => setImmediate(resolve));
  expect(session.stop()).toBe(true);
  expect(await taking).toBe("done");
  expect(policy.chunks()).toBeLessThan(7);
  expect(shown.notes).toEqual(["(stopped; what is shown is kept)"]);
  const kept = shown.out.trimEnd();
  expect(await session.take("And?")).toBe("done");
  expect(prompts()[1]).toContain(`<|assistant|>${kept}<|end|><|user|>And?`);
});
it("forgets on /reset, and takes another /system message", async () => {
  const { session, prompts, shown } = await chatting(["a", "b", "c"]);
  await session.take("one");
  await session.take("/reset");
  await session.take("two");
  expect(prompts()[1]).toBe("<|user|>two<|end|><|assistant|>");
  await session.take("/system Be brief.");
  expect(await session.take("three")).toBe("failed");
  expect(shown.notes.at(-1)).toMatch(
    /^error: the conversation: .*user and assistant, found system \(\/reset begins anew\)$/,
  );
  await session.take("/system");
  expect(await session.take("four")).toBe("done");
});
it("says what to do where the context is full, and does not keep that turn", async () => {
  const { session, shown, prompts } = await chatting(["a", "b"]);
  await session.take("one");
  expect(await session.take("long ".repeat(200))).toBe("failed");
  expect(shown.notes.at(-1)).toMatch(/expected at most 99 tokens.*\/reset begins anew/);
  await session.take("two");
  expect(prompts()[1]).toBe("<|user|>one<|end|><|assistant|>a<|end|><|user|>two<|end|><|assistant|>");
});
it("saves rows that training reads, thinking included", async () => {
  const dir = await mkdtemp(join(tmpdir(), "preflexor-chat-"));
  try {
    const file = join(dir, "chat.jsonl");
    const { session, shown } = await chatting([THOUGHT]);
    expect(await session.take(`/save ${file}`)).toBe("failed");
    await session.take("Which?");
    expect(await session.take(`/save ${file}`)).toBe("done");
    expect(await session.take(`/save ${file}`)).toBe("done");
    expect((await readFile(file, "utf8")).trimEnd().split("\n")).toHaveLength(2);
    const { rows } = await readSupervised(file);
    expect(JSON.stringify(rows[0])).toContain(JSON.stringify(THOUGHT).slice(1, -1));
    expect(await session.take(`/save ${join(dir, "no", "such")}`)).toBe("failed");
    expect(shown.notes.at(-1)).toMatch(/ENOENT/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
it("leaves on /quit, knows its commands, and guesses what was meant", async () => {
  const { session, shown, policy } = await chatting([]);
  expect(await session.take("/quit")).toBe("quit");
  expect(await session.take("/rest")).toBe("failed");
  expect(await session.take("   ")).toBe("done");
  await session.take("/help");
  expect(shown.notes).toEqual(["there is no /rest; did you mean /reset?", expect.stringMatching(/\/save <file>/)]);
  expect(policy.calls).toEqual([]);
});
