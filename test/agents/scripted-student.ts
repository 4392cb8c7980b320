/** @file A student whose replies are a function of the prompt, and a small store of real retrieval. */
import type { Passage, PassageStore } from "../../src/agents/corpus/index.js";
import { createLexicalEmbedder, ingestDocuments, openInProcessStore } from "../../src/agents/corpus/index.js";
import type { Student } from "../../src/agents/student.js";
import type { GenerateOptions, PairScore, Policy, StepOptions, TrainBatch } from "../../src/trainer/run/policy.js";
import type { Tokenizer } from "../../src/trainer/text/tokenizer.js";
import type { TokenizedPair } from "../../src/trainer/text/types.js";

const END = 1;

/** A token is a UTF-16 unit; 0 and 1 are padding and the end of a turn. */
const tokenizer: Tokenizer = {
  encode: (text) => Int32Array.from(text, (unit) => unit.charCodeAt(0)),
  decode: (ids) => String.fromCharCode(...Array.from(ids)),
  tokenId: () => undefined,
  vocabSize: 65_536,
  eosTokenId: END,
  addsBos: false,
};

export interface ScriptedStudent extends Student {
  readonly prompts: string[];
  readonly batches: { readonly batch: TrainBatch; readonly options: StepOptions }[];
  readonly saved: string[];
  readonly generateCalls: GenerateOptions[];
}

/** `reply` sees the rendered prompt with any pre-fill and returns what follows it. */
export function scriptedStudent(
  reply: (prompt: string, seed: number) => string,
  score: (pair: TokenizedPair) => PairScore = () => ({
    chosen: { sum: -1, count: 1 },
    rejected: { sum: -2, count: 1 },
  }),
): ScriptedStudent {
  const record = {
    prompts: [] as string[],
    batches: [] as ScriptedStudent["batches"],
    saved: [] as string[],
    generateCalls: [] as GenerateOptions[],
  };
  const policy: Policy = {
    info: {
      model: "scripted",
      modelHash: "0123456789abcdef0123",
      parameters: 0,
      trainedParameters: 0,
      device: "none",
      deviceReason: "scripted",
      precision: "float32",
      precisionReason: "scripted",
      sessionMs: 0,
      rolloutWeights: "float32",
      contextLength: 2048,
    },
    async trainStep(batch, options) {
      record.batches.push({ batch, options });
      return { loss: 1 / record.batches.length };
    },
    scorePairs: async (pairs) => pairs.map(score),
    async generate(requests, options) {
      options.signal?.throwIfAborted();
      record.generateCalls.push(options);
      return requests.map(({ ids, seed }) => {
        const prompt = tokenizer.decode(ids);
        record.prompts.push(prompt);
        return { ids: tokenizer.encode(reply(prompt, seed)), finish: "stop" as const, logps: new Float32Array(0) };
      });
    },
    async saveCheckpoint(directory) {
      record.saved.push(directory);
      return directory;
    },
    markReference: async () => {},
    loadCheckpoint: async () => ({}),
    saveAdapter: async () => {},
    loadAdapter: async () => {},
    resetOptimizer: async () => {},
    stepCount: async () => record.batches.length,
    close: async () => {},
  };
  const template = {
    takesTools: false,
    render: (messages: readonly { role: string; content: string }[]) =>
      `${messages.map((m) => `[${m.role}] ${m.content}`).join("")}[assistant] `,
  };
  return { ...record, policy, tokenizer, template };
}

export const NACRE = [
  "Nacre is the inner layer of many mollusc shells.",
  "Nacre contains about 95 percent aragonite by weight.",
  "Nacre is much tougher than pure aragonite because its tablets slide over each other before they break.",
  "Sliding tablets spread the damage over a large region, so no single crack can grow quickly.",
].join(" ");

export const WOOD = [
  "Wood is a cellular material that trees grow from cellulose and lignin.",
  "The cellulose microfibrils of the S2 layer wind around the cell in a helix.",
  "A small microfibril angle leads to high stiffness along the grain.",
].join(" ");

export async function smallStore(
  documents = [
    { source: "nacre.md", text: NACRE },
    { source: "wood.md", text: WOOD },
  ],
): Promise<PassageStore> {
  const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
  await ingestDocuments(documents, store);
  return store;
}

/** Counts the queries that reach the store: whatever the way, agents retrieve through it. */
export function countingStore(store: PassageStore): PassageStore & { readonly queries: string[] } {
  const queries: string[] = [];
  return {
    ...store,
    query(text, k, signal) {
      queries.push(text);
      return store.query(text, k, signal);
    },
    search(text, options, signal) {
      queries.push(text);
      return store.search(text, options, signal);
    },
    queries,
  };
}

export const passage = (id: string, text: string): Passage => ({
  id,
  text,
  source: `${id}.md`,
  start: 0,
  end: text.length,
});
