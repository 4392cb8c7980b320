import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createExtractor } from "../../../src/agents/corpus/extractor.js";
import { smallPdf } from "./small-pdf.js";

const extractor = createExtractor();
afterAll(() => extractor.close());

describe("of HTML", () => {
  test("the text that a reader sees is left: no scripts, styles, drawings or addresses, headings as they are written", async () => {
    const page = `<!doctype html><html><head><title>T</title><style>p{color:red}</style></head><body>
      <h1>Nacre is Strong</h1><p>Bricks &amp; mortar, <b>95&nbsp;%</b> aragonite.</p><script>var x = "hidden" < 2;</script>
      <p>See <a href="https://example.org/a">the paper</a>.</p><style>.hidden{}</style><svg><text>hidden</text></svg>
      <noscript>hidden</noscript><img src="a.png" alt="hidden"><ul><li>one<li>two</ul></body></html>`;
    const text = await extractor.html(page);
    expect(text).toBe("Nacre is Strong\n\nBricks & mortar, 95\u00a0% aragonite.\n\nSee the paper.\n\n * one\n * two");
  });

  test("cells of a table stay words of their own", async () => {
    const text = await extractor.html("<table><tr><td>nacre</td><td>tough</td></tr><tr><td>chalk</td></tr></table>");
    expect(text.split(/\s+/)).toEqual(["nacre", "tough", "chalk"]);
  });

  test("a long line is not broken", async () => {
    const line = "word ".repeat(200).trim();
    expect(await extractor.html(`<p>${line}</p>`)).toBe(line);
  });

  test("megabytes of ordinary page are read to the end", async () => {
    const page = `${"<p>A paragraph of words.</p>\n".repeat(40_000)}<p>The end.</p>`;
    const text = await extractor.html(page);
    expect(page.length).toBeGreaterThan(1_000_000);
    expect(text.split("A paragraph of words.")).toHaveLength(40_001);
    expect(text.endsWith("The end.")).toBe(true);
  });

  test("elements nested a hundred thousand deep are refused by name, and the next page is read", async () => {
    const deep = `${"<div>".repeat(100_000)}x${"</div>".repeat(100_000)}`;
    await expect(extractor.html(deep)).rejects.toThrow(/nests its elements too deeply/);
    expect(await extractor.html("<p>next</p>")).toBe("next");
  });

  test("a page that takes longer than the limit is given up, and the next one is read", async () => {
    // Each of the closing tags looks through all the open ones.
    const slow = "<b>".repeat(300_000) + "</i>".repeat(300_000);
    const limited = createExtractor({ extractMs: 8000 });
    await expect(limited.html(slow)).rejects.toThrow(/gave no text within 8 s/);
    expect(await limited.html("<p>next</p>")).toBe("next");
    await limited.close();
  });

  test("cancelling ends a page that is being read", async () => {
    const slow = "<b>".repeat(300_000) + "</i>".repeat(300_000);
    const stop = new AbortController();
    const cancelled = createExtractor();
    const reading = cancelled.html(slow, stop.signal);
    stop.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    await cancelled.close();
  });
});

describe("of PDF", () => {
  test("the pages come in order, apart", async () => {
    expect(await extractor.pdf(smallPdf(["Nacre is (very) tough.", "Silk is strong."]))).toBe(
      "Nacre is (very) tough.\n\nSilk is strong.",
    );
  });

  test.each([
    ["what is no PDF", new TextEncoder().encode("<html>"), /is not a PDF/],
    ["an encrypted one", smallPdf(["secret"], { encrypted: true }), /is encrypted\. Save a copy without a password/],
    ["one that ends after its first line", smallPdf(["x"]).subarray(0, 9), /is a PDF that cannot be read/],
    ["pages without text", smallPdf(["", ""]), /holds no text, as a scan does/],
  ])("%s is refused with what to do", async (_, bytes, message) => {
    await expect(extractor.pdf(bytes)).rejects.toThrow(message);
  });

  test("where the package is missing, it is said what to install, before any thread is started", async () => {
    const post = vi.spyOn(Worker.prototype, "postMessage");
    const without = createExtractor({}, () => false);
    await expect(without.pdf(smallPdf(["x"]))).rejects.toThrow(/npm install pdf-parse/);
    expect(post).not.toHaveBeenCalled();
    post.mockRestore();
  });
});
