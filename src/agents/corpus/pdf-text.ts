/** @file The text of a PDF, page after page, through LangChain's loader and the optional package pdf-parse. */

/** Throws where the file is encrypted, damaged, or holds no text. */
export async function pdfText(bytes: Uint8Array): Promise<string> {
  const { PDFLoader } = await import("@langchain/community/document_loaders/fs/pdf");
  const loader = new PDFLoader(new Blob([Uint8Array.from(bytes)]));
  const pages = await loader.load().catch((cause: unknown) => {
    throw new Error(problemOf(cause), { cause });
  });
  const text = pages.map(({ pageContent }) => pageContent).join("\n\n");
  if (text.trim() !== "") return text;
  throw new Error("holds no text, as a scan does. Run text recognition (OCR) over it first, or remove it.");
}

function problemOf(error: unknown): string {
  const { name = "", message = String(error) } = error instanceof Error || isNamed(error) ? error : {};
  if (/Password/.test(name) || /password|encrypt/i.test(message)) {
    return "is encrypted. Save a copy without a password and ingest that.";
  }
  return `is a PDF that cannot be read (${message}). Save it anew, or convert it to text.`;
}

/** The reader's own errors are no Errors, but have a name and a message. */
function isNamed(value: unknown): value is { readonly name?: string; readonly message?: string } {
  return typeof value === "object" && value !== null;
}
