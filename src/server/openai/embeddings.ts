/** @file POST /v1/embeddings: texts to vectors, as numbers or as the base64 of float32. */
import { z } from "zod";
import type { Admission } from "./admission.js";
import { badRequest } from "./errors.js";
import { ignored } from "./fields.js";
import type { Handler } from "./http.js";
import { parseRequest } from "./parse-request.js";
import { embedderOf, type Served } from "./served.js";

/** As OpenAI has it. */
const MAX_INPUTS = 2048;

const NO_TOKENS =
  "expected text: token ids of another tokenizer would be read as other words (LangChain in Python: check_embedding_ctx_length=False)";

const inputField = z.preprocess(
  (value) => (typeof value === "string" ? [value] : value),
  z
    .array(z.string({ error: NO_TOKENS }), { error: "expected a text or a list of texts" })
    .min(1)
    .max(MAX_INPUTS),
);

const embeddingRequestSchema = z.strictObject({
  model: z.string().min(1),
  input: inputField,
  encoding_format: z.enum(["float", "base64"]).optional(),
  dimensions: z.int().min(1).optional(),
  /** Cuts texts that are too long instead of refusing them. */
  truncate: z.boolean().optional(),
  user: ignored,
});

export function embeddingsHandler(served: Served, admission: Admission): Handler {
  return async ({ body, signal }) => {
    const asked = parseRequest(embeddingRequestSchema, body);
    const embedder = embedderOf(served, asked.model);
    const { dimensions, maxTokens } = embedder.info;
    if (asked.dimensions !== undefined && asked.dimensions !== dimensions) {
      throw badRequest(
        `dimensions: expected ${dimensions}, which is all that ${asked.model} has, found ${asked.dimensions}`,
        "dimensions",
      );
    }
    const counts = asked.input.map((text) => embedder.countTokens(text));
    if (asked.truncate !== true) refuseLong(counts, maxTokens);
    const vectors = await admission.run(1, () => embedder.embed(asked.input, { signal }));
    const tokens = counts.reduce((sum, count) => sum + Math.min(count, maxTokens), 0);
    return {
      object: "list",
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: asked.encoding_format === "base64" ? base64(vector) : [...vector],
      })),
      model: asked.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  };
}

function refuseLong(counts: readonly number[], maxTokens: number): void {
  const long = counts.flatMap((count, i) => (count > maxTokens ? [`input[${i}] has ${count}`] : []));
  if (long.length === 0) return;
  const named = long.slice(0, 8).join(", ") + (long.length > 8 ? `, and ${long.length - 8} more` : "");
  throw badRequest(
    `input: expected at most ${maxTokens} tokens in each text, found ${named}; split them, or send truncate: true`,
    "input",
    "context_length_exceeded",
  );
}

/** Little-endian float32, which is what every platform of Node has. */
function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
