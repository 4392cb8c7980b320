/** @file The special tokens and the chat template of the project's own small model. */
import { REFLECT, THINKING } from "./thinking-markers.js";

/** Ids follow this order, from 0. */
export const NANO_SPECIAL_TOKENS: readonly string[] = [
  "<|endoftext|>",
  "<|user|>",
  "<|assistant|>",
  "<|end|>",
  THINKING.start,
  THINKING.end,
  REFLECT.start,
  REFLECT.end,
];

/** Ends a turn: EOS after a reply closes it. */
export const NANO_EOS_TOKEN = "<|end|>";

/** Separates documents, and fills batches. */
export const NANO_PAD_TOKEN = "<|endoftext|>";

export const NANO_CHAT_TEMPLATE = `{%- for message in messages -%}
{%- if message['role'] not in ['user', 'assistant'] -%}
{{- raise_exception('this model knows the roles user and assistant, found ' + message['role']) -}}
{%- endif -%}
{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>' -}}
{%- endif -%}`;
