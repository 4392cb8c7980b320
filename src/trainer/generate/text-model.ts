/** @file Requests in text to replies in text, on any policy: one batch for each adapter, streamed or whole. */
import type { GenerateRequest, SamplingParameters } from "../run/index.js";
import type { SectionMarkers } from "../text/index.js";
import { createPartQueue } from "./part-queue.js";
import { prepareRequest } from "./prepare-request.js";
import { createReplyReader, type ReplyReader } from "./reply-reader.js";
import { TextRequestError } from "./request-error.js";
import type {
  PreparedRequest,
  RequestProblem,
  TextModel,
  TextOptions,
  TextPart,
  TextReply,
  TextRequest,
} from "./types.js";

export interface TextModelParts
  extends Pick<
    TextModel,
    "name" | "policy" | "tokenizer" | "template" | "contextLength" | "adapters" | "stopTokenIds" | "defaults" | "close"
  > {
  readonly markers: readonly SectionMarkers[];
}

/** Where a request is in the call it came with, and what reads its tokens. */
interface Running {
  readonly index: number;
  readonly request: PreparedRequest;
  readonly reader: ReplyReader;
}

export function createTextModel(parts: TextModelParts): TextModel {
  const prepareAll = (requests: readonly TextRequest[]): PreparedRequest[] => {
    const problems: RequestProblem[] = [];
    const prepared = requests.flatMap((request, index) => {
      const result = prepareRequest(request, parts);
      if (!Array.isArray(result)) return [result];
      problems.push(...result.map((problem) => ({ ...problem, request: index })));
      return [];
    });
    if (problems.length > 0) throw new TextRequestError(problems, requests.length);
    return prepared;
  };
  const { markers: _, ...shown } = parts;
  return {
    ...shown,
    prepare: (request) => prepareAll([request])[0] as PreparedRequest,
    async generate(requests, options = {}) {
      options.signal?.throwIfAborted();
      return generateAll(parts, requests, prepareAll(requests), options);
    },
    async *stream(request, { signal } = {}) {
      signal?.throwIfAborted();
      const prepared = prepareAll([request]);
      const queue = createPartQueue<TextPart>();
      const left = new AbortController();
      const done = generateAll(parts, [request], prepared, {
        signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
        onPart: (part) => queue.put(part),
      }).then(
        () => queue.end(),
        (error: unknown) => queue.end(error),
      );
      try {
        yield* queue;
      } finally {
        left.abort(new Error("the reader of the reply has left"));
        await done;
      }
    },
  };
}

async function generateAll(
  { policy, tokenizer, markers }: TextModelParts,
  requests: readonly TextRequest[],
  prepared: readonly PreparedRequest[],
  { signal, onPart, onProgress }: TextOptions,
): Promise<TextReply[]> {
  const running = prepared.map((request, index): Running => {
    const tools = toolNames(requests[index] as TextRequest);
    const listen = onPart === undefined ? {} : { onPart: (part: TextPart) => onPart(part, index) };
    return { index, request, reader: createReplyReader({ request, tokenizer, markers, tools, ...listen }) };
  });
  const groups = byAdapter(running);
  const finished = new Map<string, number>();
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const replies: TextReply[] = [];
  const runGroup = async ([adapter, group]: readonly [string, readonly Running[]]): Promise<void> => {
    const first = (group[0] as Running).request.sampling;
    let thrown: { readonly error: unknown } | undefined;
    const generations = await policy.generate(
      group.map(({ request }) => generateRequest(request, first)),
      {
        ...first,
        adapter,
        signal: stop,
        onTokens: ({ request, ids, logps }) => {
          // What a listener throws must not reach the engine's message loop.
          try {
            return thrown !== undefined || group[request]?.reader.push(ids, logps);
          } catch (error) {
            thrown = { error };
            return true;
          }
        },
        ...(onProgress !== undefined && {
          onProgress: (count: number) => {
            finished.set(adapter, count);
            onProgress(
              [...finished.values()].reduce((a, b) => a + b, 0),
              running.length,
            );
          },
        }),
      },
    );
    if (thrown !== undefined) throw thrown.error;
    group.forEach(({ index, reader }, i) => {
      const generation = generations[i];
      if (generation === undefined)
        throw new Error(`internal: ${group.length} requests, ${generations.length} replies`);
      replies[index] = reader.finish(generation);
    });
  };
  const runs = [...groups].map((group) =>
    runGroup(group).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(runs);
  await Promise.all(runs);
  return replies;
}

function byAdapter(running: readonly Running[]): Map<string, Running[]> {
  const groups = new Map<string, Running[]>();
  for (const each of running) {
    const group = groups.get(each.request.adapter);
    if (group === undefined) groups.set(each.request.adapter, [each]);
    else group.push(each);
  }
  return groups;
}

/** With the sampling parameters in which it differs from those of the call. */
function generateRequest({ ids, seed, sampling }: PreparedRequest, common: SamplingParameters): GenerateRequest {
  const same = JSON.stringify(sampling) === JSON.stringify(common);
  return { ids, seed, ...(!same && { sampling: { ...NEUTRAL, ...sampling } }) };
}

/** What a parameter that a request leaves out means, where the call has another. */
const NEUTRAL = { topK: 0, minP: 0, repetitionPenalty: 1 } as const;

function toolNames(request: TextRequest): readonly string[] {
  return "messages" in request ? (request.tools ?? []).map(({ name }) => name) : [];
}
