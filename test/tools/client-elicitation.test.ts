/** @file The user is asked before what they have to something is taken away: in both protocol eras, and where the client cannot ask. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { NACRE } from "../agents/scripted-student.js";
import { type Answer, ERAS, type Era, eraClient, textOf, YES } from "./era-client.js";
import { type SmallContext, smallContext } from "./small-context.js";

let folder: string;
let context: SmallContext;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "preflexor-articles-"));
  await writeFile(join(folder, "nacre.md"), NACRE);
  context = await smallContext();
});

/** A removal, and how many passages are left after it. */
async function removal(era: Era, answer?: Answer, args: Record<string, unknown> = {}) {
  const { client, asked, call } = await eraClient(context, era, answer && { answer: () => answer });
  await call("ingest-corpus", { path: folder });
  const before = await (await context.store()).count();
  const result = await call("ingest-corpus", { path: folder, remove: true, ...args });
  const left = await (await context.openCorpus({ kind: "folder", path: folder })).count();
  await client.close();
  expect(before).toBeGreaterThan(0);
  return { text: textOf(result), isError: result.isError === true, asked, all: left === before, none: left === 0 };
}

describe.each(ERAS)("a removal, in %s", (era) => {
  it("is done when the user says yes, who is asked once and sees what would go", async () => {
    const { asked, none, isError } = await removal(era, YES);
    expect({ none, isError }).toEqual({ none: true, isError: false });
    expect(asked).toEqual([`Take everything that was ingested from ${folder} out of the index (the files stay)?`]);
  });

  it.each<[Answer, RegExp]>([
    [{ action: "decline" }, /^the user said no: nothing was removed$/],
    [{ action: "cancel" }, /^the user put the question away without an answer: nothing was removed$/],
    [{ action: "accept", content: { confirm: false } }, /^the user said no/],
    [{ action: "accept" }, /^the user said no/],
  ])("is not done when they answer %j", async (answer, expected) => {
    const { text, isError, all, asked } = await removal(era, answer);
    expect(text).toMatch(expected);
    expect({ isError, all, asked: asked.length }).toEqual({ isError: true, all: true, asked: 1 });
  });

  it("is refused where the client cannot ask, with what to ask and what to call then; and done when that is called", async () => {
    const { text, all } = await removal(era);
    expect(text).toMatch(
      /^nothing was removed: .*Ask the user "Take everything .*\?".*call ingest-corpus again .*confirm: true$/,
    );
    expect(all).toBe(true);
    expect(await removal(era, undefined, { confirm: true })).toMatchObject({ isError: false, none: true });
  });

  it("does not ask again who said in the call that they agree", async () => {
    expect(await removal(era, { action: "decline" }, { confirm: true })).toMatchObject({ asked: [], none: true });
  });
});
