/** @file What to say where the package's small model is to learn from text that it was not made for. */
import type { ActiveCorpus } from "./active-corpus.js";
import type { ToolContext } from "./tool-context.js";

export const OWN_TEXT =
  "the model that learns is the package's small one, which knows only materials-world: on other text it can be looked at, " +
  "not taught. To teach, set PREFLEXOR_MODEL to the directory or the hub id of a Hugging Face chat model (llama, " +
  "mistral, qwen2, qwen3, smollm3 or gemma3_text) and start the server again";

export const ownTextNeedsAModel = ({ recipe }: Pick<ToolContext, "recipe">, { kind }: ActiveCorpus): boolean =>
  kind === "folder" && recipe === "nano";
