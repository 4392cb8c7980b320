/** @file The real text layer over a policy whose replies are a function of the prompt; a token is a UTF-16 unit. */

import { createTextModel } from "../../../src/trainer/generate/text-model.js";
import type { TextModel } from "../../../src/trainer/generate/types.js";
import type { GenerateOptions, GenerateRequest, Generation, Policy } from "../../../src/trainer/run/policy.js";
import { createChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { THINKING } from "../../../src/trainer/text/thinking-markers.js";
import { scriptedStudent } from "../scripted-student.js";

/** Tools as Qwen's template has them: told at the start, called in `<tool_call>`, answered in a turn of their own. */
export const TOOL_TEMPLATE = `{%- if tools %}[tools]{% for tool in tools %} {{ tool.function.name }}{{ tool.function.parameters | tojson }}{% endfor %}{% endif %}
{%- for message in messages %}[{{ message.role }}{% if message.tool_call_id %} {{ message.tool_call_id }}{% endif %}] {{ message.content }}
{%- for call in message.tool_calls or [] %}<tool_call>{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}</tool_call>{% endfor %}
{%- endfor %}
{%- if add_generation_prompt %}[assistant] {% endif %}`;

export const PLAIN_TEMPLATE = `{%- for message in messages %}
{%- if message.role not in ["user", "assistant"] %}{{ raise_exception("no role " + message.role) }}{% endif %}[{{ message.role }}] {{ message.content }}
{%- endfor %}{% if add_generation_prompt %}[assistant] {% endif %}`;

export interface ScriptedTextModel extends TextModel {
  readonly prompts: string[];
  readonly calls: GenerateOptions[];
  readonly requests: GenerateRequest[];
  /** Requests that came in and are not finished. */
  readonly running: () => number;
  readonly closed: () => boolean;
}

export interface Script {
  /** Sees the rendered prompt with any pre-fill and returns what follows it. */
  readonly reply: (prompt: string, seed: number) => string;
  readonly template?: string;
  /** Units of a piece of the stream. */
  readonly piece?: number;
  /** Awaited after every piece. */
  readonly pause?: () => Promise<void>;
}

export function scriptedTextModel({ reply, template = TOOL_TEMPLATE, piece = 3, pause }: Script): ScriptedTextModel {
  const student = scriptedStudent(() => "");
  const { tokenizer } = student;
  const prompts: string[] = [];
  const calls: GenerateOptions[] = [];
  const seen: GenerateRequest[] = [];
  let running = 0;
  let closed = false;
  const generate: Policy["generate"] = async (requests, options) => {
    calls.push(options);
    seen.push(...requests);
    running += requests.length;
    const one = async ({ ids, seed }: (typeof requests)[number], request: number): Promise<Generation> => {
      const prompt = tokenizer.decode(ids);
      prompts.push(prompt);
      const wanted = tokenizer.encode(reply(prompt, seed));
      const written = wanted.subarray(0, options.maxNewTokens);
      const logps = Float32Array.from(written, (id) => -id / 1024);
      let end = 0;
      while (end < written.length) {
        await (pause?.() ?? new Promise((resolve) => setImmediate(resolve)));
        options.signal?.throwIfAborted();
        const from = end;
        end = Math.min(written.length, end + piece);
        const chunk = { request, ids: written.slice(from, end), logps: logps.slice(from, end) };
        if (options.onTokens?.(chunk) === true) break;
      }
      const finish = end < wanted.length ? "length" : "stop";
      return { ids: written.slice(0, end), finish, logps: logps.slice(0, end) };
    };
    try {
      return await Promise.all(requests.map(one));
    } finally {
      running -= requests.length;
    }
  };
  const model = createTextModel({
    name: "scripted",
    policy: { ...student.policy, generate },
    tokenizer,
    template: createChatTemplate(template, {}, "scripted"),
    contextLength: 4096,
    adapters: ["other"],
    stopTokenIds: [tokenizer.eosTokenId],
    defaults: { temperature: 0.5 },
    markers: [THINKING],
    close: async () => {
      closed = true;
    },
  });
  return { ...model, prompts, calls, requests: seen, running: () => running, closed: () => closed };
}
