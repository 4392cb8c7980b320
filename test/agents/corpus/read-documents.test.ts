import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chunkDocument } from "../../../src/agents/corpus/chunk.js";
import { readDocuments } from "../../../src/agents/corpus/read-documents.js";
import { smallPdf } from "./small-pdf.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "corpus-read-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

test("a folder is read recursively, ordered by relative path, other kinds of file left out", async () => {
  put({ "b.md": "B", "a/z.txt": "Z", "a.markdown": "A", "a/UP.MD": "U", "image.png": "no", ".hidden/x.md": "no" });
  const documents = await readDocuments(folder);
  expect(documents.map((d) => [d.source, d.text])).toEqual([
    ["a.markdown", "A"],
    ["a/UP.MD", "U"],
    ["a/z.txt", "Z"],
    ["b.md", "B"],
  ]);
});

test("front matter, tags and line ends stay as the file has them", async () => {
  const text = "---\ntitle: Nacre\n---\r\n# Nacre #tag\n\nkey:: value\n";
  put({ "a.md": text });
  expect((await readDocuments(folder))[0]?.text).toBe(text);
});

test("a single file is a corpus, its name the source; a byte order mark is not text", async () => {
  put({ "a.txt": "\uFEFFone" });
  expect(await readDocuments(join(folder, "a.txt"))).toEqual([{ source: "a.txt", text: "one" }]);
});

test("each line of a .jsonl file is a document, named by its line", async () => {
  put({ "a.jsonl": '{"text":"one"}\n\n{"text":"three","id":3}\n' });
  expect(await readDocuments(folder)).toEqual([
    { source: "a.jsonl#1", text: "one" },
    { source: "a.jsonl#3", text: "three" },
  ]);
});

test("bad lines of a .jsonl file are named together", async () => {
  put({ "a.jsonl": '{"text":"one"}\n{"text":2}\n[1]\nnonsense' });
  await expect(readDocuments(folder)).rejects.toThrow(/a\.jsonl: line 2, 3, 4: expected a JSON object/);
});

test("HTML and PDF are read among the others; a page without text is left out", async () => {
  put({
    "a.html": "<h1>Nacre</h1><script>no</script><p>Brick &amp; mortar.</p>",
    "b.HTM": "<p> </p>",
    "c.pdf": smallPdf(["Silk is strong."]),
    "d.md": "Bone",
  });
  expect(await readDocuments(folder)).toEqual([
    { source: "a.html", text: "Nacre\n\nBrick & mortar." },
    { source: "c.pdf", text: "Silk is strong." },
    { source: "d.md", text: "Bone" },
  ]);
});

test("offsets of passages count in the text that was taken out of a page", async () => {
  put({ "a.html": `<style>p{}</style>${"<p>Nacre is a brick wall.</p>".repeat(100)}` });
  const [document] = await readDocuments(folder);
  for (const { text, start, end } of await chunkDocument(document!))
    expect(document!.text.slice(start, end)).toBe(text);
});

test("files that cannot be read are named together, whatever their kind", async () => {
  put({
    "fake.pdf": "hello",
    "locked.pdf": smallPdf(["x"], { encrypted: true }),
    "latin.html": Uint8Array.of(0x3c, 0x70, 0x3e, 0xe9),
    "deep.html": "<div>".repeat(50_000),
    "good.md": "fine",
  });
  const error: Error = await readDocuments(folder).then(
    () => new Error("was read"),
    (reason: Error) => reason,
  );
  expect(error.message).toMatch(/fake\.pdf: is not a PDF/);
  expect(error.message).toMatch(/locked\.pdf: is encrypted/);
  expect(error.message).toMatch(/latin\.html: is not UTF-8 text/);
  expect(error.message).toMatch(/deep\.html: nests its elements too deeply/);
  expect(error.message).not.toMatch(/good\.md/);
});

describe("a glob", () => {
  const sources = async (pattern: string) => (await readDocuments(join(folder, pattern))).map((d) => d.source);

  test("names files by the folder where it begins, so that they are called as when the folder is read", async () => {
    put({ "docs/a.md": "A", "docs/sub/b.md": "B", "docs/c.txt": "C", "e.md": "E", "docs/node_modules/x.md": "no" });
    expect(await sources("docs/**/*.md")).toEqual(["a.md", "sub/b.md"]);
    expect(await sources("docs/*.{md,txt}")).toEqual(["a.md", "c.txt"]);
    expect(await sources("{docs,none}/*.md")).toEqual(["docs/a.md"]);
    expect(await sources("**/[ab].md")).toEqual(["docs/a.md", "docs/sub/b.md"]);
  });

  test("leaves out what cannot be read and what is hidden", async () => {
    put({ "a.md": "A", "b.png": "no", ".c.md": "no", ".d/e.md": "no" });
    expect(await sources("**/*")).toEqual(["a.md"]);
  });

  test("is none where a file or folder has that very name", async () => {
    put({ "[a].md": "odd", "a.md": "A", "b (old)/*x.md": "star", "b (old)/yx.md": "Y" });
    expect(await sources("[a].md")).toEqual(["[a].md"]);
    expect(await sources("b (old)/*x.md")).toEqual(["*x.md"]);
    expect(await sources("b (old)/y*.md")).toEqual(["yx.md"]);
  });

  test("that matches nothing readable, or too much, is refused", async () => {
    put({ "a.md": "A", "b.md": "B", "c.png": "no" });
    await expect(readDocuments(join(folder, "*.png"))).rejects.toThrow(/no readable file matches .*\*\.png/);
    await expect(readDocuments(join(folder, "none/*.md"))).rejects.toThrow(/no readable file matches/);
    await expect(readDocuments(join(folder, "*.md"), { limits: { files: 1 } })).rejects.toThrow(/more than 1 files/);
  });
});

test("a missing path says what to give", async () => {
  await expect(readDocuments(join(folder, "none"))).rejects.toThrow(/nothing to read at .*none: give an existing file/);
});

test("a folder without a readable file says which kinds are read", async () => {
  put({ "image.png": "x" });
  await expect(readDocuments(folder)).rejects.toThrow(
    /no readable file .*\.md, \.markdown, \.txt, \.html, \.htm, \.pdf, \.jsonl/,
  );
});

test("a file of another kind is refused by name", async () => {
  put({ "paper.docx": "x" });
  await expect(readDocuments(join(folder, "paper.docx"))).rejects.toThrow(/paper\.docx is not a kind of file/);
});

test("files without text are an empty corpus", async () => {
  put({ "a.md": " \n", "b.txt": "" });
  await expect(readDocuments(folder)).rejects.toThrow(/is empty: no text in 2 file/);
});

test("every file that is not UTF-8 text is named in one message", async () => {
  put({ "good.md": "fine", "latin.txt": Uint8Array.of(0x63, 0x61, 0x66, 0xe9), "binary.md": Uint8Array.of(65, 0, 66) });
  const reading = readDocuments(folder);
  await expect(reading).rejects.toThrow(/latin\.txt: is not UTF-8 text/);
  await expect(reading).rejects.toThrow(/binary\.md: holds NUL bytes/);
  await expect(reading).rejects.toThrow(/nothing was ingested/);
});

test("a replacement character that the file really holds is no error", async () => {
  put({ "a.md": "odd \uFFFD mark" });
  expect((await readDocuments(folder))[0]?.text).toBe("odd \uFFFD mark");
});

test("files over a limit are refused before anything is read", async () => {
  put({ "a.md": "12345678", "b.md": "1234" });
  await expect(readDocuments(folder, { limits: { fileBytes: 6 } })).rejects.toThrow(/a\.md: 8 bytes, at most 6/);
  await expect(readDocuments(folder, { limits: { totalBytes: 10 } })).rejects.toThrow(/12 bytes together, at most 10/);
  await expect(readDocuments(folder, { limits: { files: 1 } })).rejects.toThrow(/more than 1 file/);
});

test.skipIf(process.platform === "win32")("a linked folder is not followed, so a loop of links ends", async () => {
  put({ "a/x.md": "X" });
  symlinkSync(folder, join(folder, "a", "loop"));
  expect((await readDocuments(folder)).map((d) => d.source)).toEqual(["a/x.md"]);
});

test("reading tells how far it is, and stops when cancelled", async () => {
  put({ "a.md": "A", "b.md": "B", "c.md": "C" });
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = readDocuments(folder, {
    signal: stop.signal,
    onProgress: ({ done, total, source }) => {
      seen.push(`${done}/${total} ${source}`);
      if (done === 2) stop.abort(new Error("enough"));
    },
  });
  await expect(reading).rejects.toThrow("enough");
  expect(seen).toEqual(["1/3 a.md", "2/3 b.md"]);
});
