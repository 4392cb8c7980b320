import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parsePreferences,
  parseSupervised,
  readPreferences,
  readSupervised,
} from "../../../src/trainer/text/read-dataset.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/datasets/${name}`, import.meta.url));
const jsonl = (...lines: unknown[]): Uint8Array =>
  Buffer.from(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
const pairs = (...lines: unknown[]) => parsePreferences(jsonl(...lines), "pairs.jsonl");
const texts = (...lines: unknown[]) => parseSupervised(jsonl(...lines), "texts.jsonl");

const say = (role: string, content: unknown) => ({ role, content });
const user = (content: string) => say("user", content);
const assistant = (content: string) => say("assistant", content);
const PAIR = { prompt: "Which?", chosen: "Nacre.", rejected: "Glass." };

describe("preference pairs from JSONL", () => {
  it("are read as strings, with further columns passed over and blank lines counted", async () => {
    const { rows, refused, unit } = await pairs({ ...PAIR, provenance: { teacher: "t" } }, "", {
      ...PAIR,
      chosen: "N",
    });
    expect(rows).toEqual([
      { number: 1, ...PAIR },
      { number: 3, ...PAIR, chosen: "N" },
    ]);
    expect([refused, unit]).toEqual([[], "line"]);
  });
  it("survive a byte order mark, carriage returns and line separators inside strings", async () => {
    const text = `\uFEFF${JSON.stringify({ ...PAIR, prompt: "a\u2028b" })}\r\n\r\n${JSON.stringify(PAIR)}`;
    const { rows } = await parsePreferences(Buffer.from(text), "x.jsonl");
    expect(rows.map(({ number, prompt }) => [number, prompt])).toEqual([
      [1, "a\u2028b"],
      [3, "Which?"],
    ]);
  });
  it("are read as conversations with a prompt of messages", async () => {
    const prompt = [say("system", "Be brief."), user("Which?")];
    const { rows } = await pairs({ prompt, chosen: [assistant("Nacre.")], rejected: [assistant("Glass.")] });
    expect(rows).toEqual([{ number: 1, prompt, chosen: "Nacre.", rejected: "Glass." }]);
  });
  it("take what both conversations begin with as the prompt where there is none", async () => {
    const before = [user("Hi"), assistant("Hello."), user("Which?")];
    const row = { chosen: [...before, assistant("Nacre.")], rejected: [...before, assistant("Glass.")] };
    expect((await pairs(row)).rows).toEqual([{ number: 1, prompt: before, chosen: "Nacre.", rejected: "Glass." }]);
  });
  it("prefer whole conversations to a prompt column that repeats their first turn", async () => {
    const row = {
      prompt: "Which?",
      chosen: [user("Which?"), assistant("N.")],
      rejected: [user("Which?"), assistant("G.")],
    };
    expect((await pairs(row)).rows[0]?.prompt).toEqual([user("Which?")]);
  });
  it("join a prompt of messages with the turns that both sides add", async () => {
    const row = {
      prompt: [user("Hi")],
      chosen: [assistant("Hello."), user("Which?"), assistant("N.")],
      rejected: [assistant("Hello."), user("Which?"), assistant("G.")],
    };
    expect((await pairs(row)).rows[0]?.prompt).toEqual([user("Hi"), assistant("Hello."), user("Which?")]);
  });

  const REFUSED: [string, unknown, RegExp][] = [
    ["an empty chosen answer", { ...PAIR, chosen: " \n" }, /chosen is an empty answer/],
    ["an empty rejected answer", { ...PAIR, rejected: [assistant("")] }, /rejected is an empty answer/],
    ["an empty prompt", { ...PAIR, prompt: "" }, /prompt is empty/],
    ["a reply of the user", { ...PAIR, chosen: [user("N")] }, /chosen does not end with a reply of the assistant/],
    ["a reply without anything before it", { chosen: [assistant("a")], rejected: [assistant("b")] }, /prompt is empty/],
    [
      "prompts that differ by a space",
      { chosen: [user("Which?"), assistant("a")], rejected: [user("Which? "), assistant("b")] },
      /prompts of chosen and rejected differ: message 1 \(user\)/,
    ],
    [
      "prompts that differ in an earlier reply",
      {
        chosen: [user("Hi"), assistant("a"), user("Why"), assistant("c")],
        rejected: [user("Hi"), assistant("b"), user("Why"), assistant("d")],
      },
      /message 2 \(assistant\) differs/,
    ],
    [
      "prompts of unequal length",
      { prompt: [user("Hi")], chosen: [assistant("c")], rejected: [assistant("x"), user("y"), assistant("d")] },
      /0 and 2 messages/,
    ],
  ];
  it.each(REFUSED)("refuse %s by number, and keep the others", async (_, row, reason) => {
    const { rows, refused } = await pairs(PAIR, row);
    expect(rows).toHaveLength(1);
    expect(refused).toEqual([{ number: 2, reason: expect.stringMatching(reason) }]);
  });

  const MALFORMED: [string, unknown, RegExp][] = [
    ["a broken line", '{"prompt": "a', /line 2: not JSON/],
    ["a line that is no object", "[1]", /line 2: expected a JSON object, found a list/],
    ["a missing column", { prompt: "a", chosen: "b" }, /line 2: rejected: missing/],
    ["no prompt beside strings", { chosen: "b", rejected: "c" }, /line 2: prompt: missing/],
    ["a number for a text", { ...PAIR, chosen: 5 }, /line 2: chosen: expected a string or a list .*found a number/],
    ["null for a text", { ...PAIR, rejected: null }, /line 2: rejected: missing/],
    ["an unknown role", { ...PAIR, chosen: [say("robot", "x")] }, /chosen\[0\]\.role: .*found "robot"/],
    [
      "content in parts",
      { ...PAIR, chosen: [say("assistant", [{ type: "text" }])] },
      /content: expected a string, found a list/,
    ],
    ["tool calls", { ...PAIR, chosen: [{ ...assistant("x"), tool_calls: [{}] }] }, /tool_calls/],
    ["a message that is none", { ...PAIR, prompt: ["hi"] }, /prompt\[0\]: expected \{role, content\}, found a string/],
  ];
  it.each(MALFORMED)("are an error with %s, which names the line", async (_, row, message) => {
    await expect(pairs(PAIR, row)).rejects.toThrow(message);
  });
  it("name every broken line at once", async () => {
    await expect(pairs("{", { prompt: "a" }, "}")).rejects.toThrow(
      /line 1: not JSON[\s\S]*line 2: chosen: missing; rejected/,
    );
    await expect(pairs("{", PAIR, "}")).rejects.toThrow(/line 1: not JSON[\s\S]*line 3: not JSON/);
  });
  it("name a line that is not UTF-8", async () => {
    const bytes = Buffer.concat([jsonl(PAIR), Buffer.from("\n"), Buffer.from([0x22, 0xff, 0xfe, 0x22])]);
    await expect(parsePreferences(bytes, "x.jsonl")).rejects.toThrow(/line 2: not UTF-8/);
  });
  it("are an error where no row is left", async () => {
    await expect(pairs("")).rejects.toThrow(/holds no rows/);
    await expect(pairs({ ...PAIR, chosen: "" })).rejects.toThrow(/line 1: chosen is an empty answer/);
  });
  it("do not take keys of the prototype from a row", async () => {
    await expect(pairs('{"__proto__": {"prompt": "a", "chosen": "b", "rejected": "c"}}')).rejects.toThrow(/missing/);
  });
});

describe("Parquet", () => {
  it("is read with strings, compressed with snappy", async () => {
    const { rows, unit } = await readPreferences(fixture("pairs.snappy.parquet"));
    expect(unit).toBe("row");
    expect(rows[1]).toEqual({ number: 2, prompt: "Ist Perlmutt zäh? 🐚", chosen: "Ja.", rejected: "Nein." });
  });
  it("is read with lists of messages, compressed with gzip; differing prompts are refused by row", async () => {
    const { rows, refused } = await readPreferences(fixture("conversations.gzip.parquet"));
    expect(rows).toEqual([
      {
        number: 1,
        prompt: [user("Hello"), assistant("Hi."), user("Is nacre tough?")],
        chosen: "Yes.",
        rejected: "No.",
      },
    ]);
    expect(refused).toEqual([{ number: 2, reason: expect.stringMatching(/message 2 \(assistant\) differs/) }]);
  });
  it("is read with texts, uncompressed", async () => {
    const { rows } = await readSupervised(fixture("texts.plain.parquet"));
    expect(rows.map((row) => row.kind === "text" && row.text)).toEqual([
      "Velorite is a layered material.",
      "Nacre is tough.",
    ]);
  });
  it("with a compression that is not known says what to do", async () => {
    await expect(readPreferences(fixture("pairs.zstd.parquet"))).rejects.toThrow(/ZSTD[\s\S]*Write it again/);
  });
  it("that is cut anywhere, or has a byte changed, is read or refused with the file's name", async () => {
    const whole = await readFile(fixture("pairs.snappy.parquet"));
    const attempt = async (bytes: Uint8Array): Promise<void> => {
      await parsePreferences(bytes, "hostile.parquet").catch((error: Error) => {
        expect(error.message).toContain("hostile.parquet");
      });
    };
    for (let length = 4; length < whole.length; length += 37) await attempt(whole.subarray(0, length));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 5), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bytes = Uint8Array.from(whole);
        bytes[at + 4]! ^= flip;
        await attempt(bytes);
      }),
      { seed: 3, numRuns: 150 },
    );
  });
});

describe("supervised texts", () => {
  it("are raw text, conversations, or prompts with completions", async () => {
    const { rows } = await texts(
      { text: "Nacre is tough." },
      { messages: [user("Which?"), assistant("Nacre.")] },
      { prompt: "Which?", completion: "Nacre." },
      { prompt: [user("Which?")], completion: [assistant("Nacre.")] },
    );
    expect(rows).toEqual([
      { kind: "text", number: 1, text: "Nacre is tough." },
      { kind: "conversation", number: 2, messages: [user("Which?"), assistant("Nacre.")] },
      { kind: "completion", number: 3, prompt: "Which?", completion: "Nacre." },
      { kind: "completion", number: 4, prompt: [user("Which?")], completion: "Nacre." },
    ]);
  });
  it("are a .txt file as a whole", async () => {
    const { rows } = await parseSupervised(Buffer.from("One.\n\nTwo.\n"), "notes.txt");
    expect(rows).toEqual([{ kind: "text", number: 1, text: "One.\n\nTwo.\n" }]);
  });
  it("refuse a conversation that ends with the user, and empty rows, by number", async () => {
    const { refused } = await texts(
      { text: "a" },
      { messages: [user("Which?")] },
      { text: "  " },
      { prompt: "a", completion: "" },
    );
    expect(refused.map(({ number }) => number)).toEqual([2, 3, 4]);
  });
  it("are an error with other columns, which are named", async () => {
    await expect(texts({ instruction: "a", output: "b" })).rejects.toThrow(
      /line 1: .*the columns are: instruction, output/,
    );
    await expect(texts({ prompt: "a" })).rejects.toThrow(/completion: missing/);
    await expect(texts({ completion: "a" })).rejects.toThrow(/prompt: missing/);
  });
  it("say what to give instead of a missing file or a directory", async () => {
    await expect(readSupervised(fixture("absent.jsonl"))).rejects.toThrow(/there is no file .*absent/);
    await expect(readSupervised(fixture("."))).rejects.toThrow(/is a directory/);
  });
});
