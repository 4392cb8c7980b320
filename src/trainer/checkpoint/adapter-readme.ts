/** @file The README.md of an adapter directory: how to load it, and what cannot use it. */
import type { AdapterConfig } from "./adapter-config.js";

/** Markdown with the front matter that the Hugging Face hub reads. */
export function adapterReadme(config: AdapterConfig): string {
  return `---
base_model: ${JSON.stringify(config.baseModelNameOrPath)}
library_name: peft
---

# LoRA adapter

Rank ${config.r}, alpha ${config.loraAlpha}, ${config.useRslora ? "scaled by alpha / √r (rsLoRA), " : ""}on ${config.targetModules.join(", ")}.
${[rsloraNote(config), tokenNote(config)].join("")}
\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM${config.trainableTokenIndices ? ", AutoTokenizer" : ""}

base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(config.baseModelNameOrPath)}${revision(config)})
${config.trainableTokenIndices ? RESIZE : ""}model = PeftModel.from_pretrained(base, "<this directory>")
\`\`\`
`;
}

const revision = ({ revision }: AdapterConfig): string =>
  revision === undefined ? "" : `, revision=${JSON.stringify(revision)}`;

/** New tokens have no row in the base model until it is made larger; what stands there does not matter, the adapter replaces it. */
const RESIZE = `tokenizer = AutoTokenizer.from_pretrained("<this directory>")
if len(tokenizer) > base.get_input_embeddings().num_embeddings:
    base.resize_token_embeddings(len(tokenizer))
`;

function rsloraNote({ useRslora, loraAlpha, r }: AdapterConfig): string {
  if (!useRslora) return "";
  const alpha = loraAlpha * Math.sqrt(r);
  return `
llama.cpp's converter does not read \`use_rslora\` and would scale by alpha / r: convert a copy whose adapter_config.json has
\`"use_rslora": false, "lora_alpha": ${alpha}\`, or a merged export. PEFT and vLLM read the field.
`;
}

function tokenNote({ trainableTokenIndices: indices }: AdapterConfig): string {
  if (indices === undefined) return "";
  const rows = indices.lm_head === undefined ? "the embedding" : "the embedding and of the head";
  return `
It also holds trained rows of ${rows} for the tokens ${indices.embed_tokens.join(", ")} (\`trainable_token_indices\`). PEFT reads them.
vLLM and llama.cpp cannot use such an adapter: they take lora_A and lora_B of linear layers and nothing else. For them make a
merged export, a whole model with these rows and its tokenizer in it.
`;
}
