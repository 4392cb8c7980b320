/** @file The text of an HTML page as it is read: without scripts, styles and drawings, blocks apart, links as their words. */

const DROPPED = [
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "math",
  "iframe",
  "object",
  "canvas",
  "img",
  "video",
];
const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];
/** So that neighbouring cells are words of their own. */
const CELLS = ["td", "th"];

const SELECTORS = [
  ...DROPPED.map((selector) => ({ selector, format: "skip" })),
  ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
  ...CELLS.map((selector) => ({ selector, format: "block" })),
  { selector: "a", options: { ignoreHref: true } },
];

/** Through LangChain's transformer. Throws where elements are nested too deeply to be walked. */
export async function htmlText(html: string): Promise<string> {
  const [{ HtmlToTextTransformer }, { Document }] = await Promise.all([
    import("@langchain/community/document_transformers/html_to_text"),
    import("@langchain/core/documents"),
  ]);
  const transformer = new HtmlToTextTransformer({
    wordwrap: false,
    selectors: SELECTORS,
    // What is longer was refused before; the default would cut it off without a word.
    limits: { maxInputLength: Number.MAX_SAFE_INTEGER },
  });
  try {
    const [document] = await transformer.transformDocuments([new Document({ pageContent: html })]);
    return document?.pageContent ?? "";
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Error("nests its elements too deeply for a page that people read. Remove it or save it as text.", {
      cause,
    });
  }
}
