/** @file A reply with its thinking set apart from its answer. */
import type { RunDetail } from "../tools/views/types.js";
import { replyParts } from "./reply-parts.js";

export function Reply({ text, markers }: { readonly text: string; readonly markers: RunDetail["markers"] }) {
  return (
    <>
      {replyParts(text, markers).map(({ kind, text: part, open }, i) =>
        kind === "thinking" ? (
          <div key={i} class="thinking">
            <span class="label">thinking{open && " (never closed)"}</span>
            {part === "" ? <span class="soft">(empty)</span> : part}
          </div>
        ) : (
          <p key={i} class="answer">
            {part}
          </p>
        ),
      )}
    </>
  );
}
