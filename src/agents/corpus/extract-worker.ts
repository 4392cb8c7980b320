/** @file The thread of the extractor: one request, one reply, in turn. */

import { parentPort } from "node:worker_threads";
import { htmlText } from "./html-text.js";
import { pdfText } from "./pdf-text.js";

export type ExtractRequest =
  | { readonly kind: "html"; readonly text: string }
  | { readonly kind: "pdf"; readonly bytes: Uint8Array };

/** `problem`: what a person should know about the file, as the end of a sentence that begins with its name. */
export type ExtractReply = { readonly text: string } | { readonly problem: string };

const port = parentPort;
port?.on("message", (request: ExtractRequest) => {
  const work = request.kind === "html" ? htmlText(request.text) : pdfText(request.bytes);
  work.then(
    (text) => port.postMessage({ text } satisfies ExtractReply),
    (error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      port.postMessage({ problem } satisfies ExtractReply);
    },
  );
});
