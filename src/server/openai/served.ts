/** @file What a server serves: one text model under its own name and those of its adapters, and perhaps an embedder. */

import type { TextModel } from "../../trainer/generate/index.js";
import type { Embedder } from "../../trainer/index.js";
import { badRequest } from "./errors.js";
import { noSuchModel } from "./parse-request.js";

export interface Served {
  readonly text: TextModel;
  /** The same model to continue raw prompts with: thinking sections stay in the text, markers and all. */
  readonly raw: () => Promise<TextModel>;
  readonly embedder?: { readonly name: string; readonly embedder: Embedder };
  /** Of the engine and of the weights; replies to the same request and seed are equal where it is. */
  readonly fingerprint: string;
  /** Seconds since 1970, of the models as they are listed. */
  readonly created: number;
}

export function modelNames({ text, embedder }: Served): string[] {
  return [text.name, ...text.adapters, ...(embedder === undefined ? [] : [embedder.name])];
}

/** How the text model is asked for `model`. Throws 404, or 400 for the embedding model. */
export function adapterOf(served: Served, model: string): { adapter?: string } {
  if (model === served.text.name) return {};
  if (served.text.adapters.includes(model)) return { adapter: model };
  if (model === served.embedder?.name) throw badRequest(`${model} embeds text; it does not write any`, "model");
  throw noSuchModel(model, modelNames(served));
}

/** The embedder, asked for by name. Throws 404, or 400 for a model that only writes. */
export function embedderOf(served: Served, model: string): Embedder {
  if (served.embedder !== undefined && model === served.embedder.name) return served.embedder.embedder;
  if (!modelNames(served).includes(model)) throw noSuchModel(model, modelNames(served));
  const advice =
    served.embedder === undefined ? "start the server with --embedding-model" : `ask ${served.embedder.name}`;
  throw badRequest(`${model} does not embed; ${advice}`, "model");
}

/** The model objects of GET /v1/models; adapters name their base as `parent`. */
export function modelObjects(served: Served): readonly ModelObject[] {
  const { text, embedder, created } = served;
  const base = { object: "model", created, owned_by: "preflexor" } as const;
  const length = { max_model_len: text.contextLength };
  return [
    { id: text.name, ...base, ...length },
    ...text.adapters.map((id) => ({ id, ...base, ...length, parent: text.name })),
    ...(embedder === undefined
      ? []
      : [{ id: embedder.name, ...base, max_model_len: embedder.embedder.info.maxTokens }]),
  ];
}

export interface ModelObject {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: string;
  /** Tokens, as vLLM names it. */
  readonly max_model_len: number;
  readonly parent?: string;
}
