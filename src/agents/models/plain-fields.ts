/** @file Fields of a job out of a model that is asked in plain text: as many passages as fit, and replies without markers. */
import { type ChatMessage, extractSection, REFLECT, THINKING } from "../../trainer/index.js";
import { createRng } from "../rng.js";
import type { PlainTextModel } from "./plain-text-model.js";
import type { JobTurn } from "./programmatic-chat-model.js";

export interface FieldRequest {
  /** Names the field in what is thrown, and its seed. */
  readonly field: string;
  /** Best first: those that do not fit the model's context are left out from the end. */
  readonly passages: readonly string[];
  /** Fewer passages than this make the request pointless. */
  readonly leastPassages: number;
  readonly messages: (passages: readonly string[]) => ChatMessage[];
}

/** What the model writes, without markers of sections; empty where it writes nothing. */
export async function askForField(
  model: PlainTextModel,
  turn: JobTurn,
  request: FieldRequest,
  signal: AbortSignal | undefined,
): Promise<string> {
  const messages = await fittingMessages(model, request);
  signal?.throwIfAborted();
  const reply = await model.reply(messages, seedOf(turn, request.field), signal);
  return request.field === "thinking" || request.field === "reflection" ? insideSection(reply) : afterSections(reply);
}

async function fittingMessages(
  model: PlainTextModel,
  { passages, leastPassages, messages, field }: FieldRequest,
): Promise<ChatMessage[]> {
  for (let count = passages.length; count >= leastPassages; count--) {
    const made = messages(passages.slice(0, count));
    if (await model.fits(made)) return made;
  }
  const what = leastPassages > 0 ? "the question and one passage" : "the question";
  throw new Error(
    `the model's context has no room for its ${field} beside ${what}: cut shorter passages, or fewer new tokens`,
  );
}

/** The same turn is answered in the same words; another question, or another variation, in others. */
function seedOf({ job, user }: JobTurn, field: string): number {
  return createRng(0, "plain-text", job, field, user).int(2 ** 31);
}

/** Markers that are left over would cut the reply elsewhere once it is trained on. */
const MARKER = /<\|?\/?(?:thinking|think|reflect)\|?>/g;

const plain = (text: string): string => text.replace(MARKER, "").trim();

/** What a model says after it has thought. */
export function afterSections(reply: string): string {
  const said = [THINKING, REFLECT].reduce((text, markers) => extractSection(text, markers).after, reply);
  return plain(said.replace(/<think>[\s\S]*?<\/think>/g, ""));
}

/** The section's own text where the model writes one, else all of it. */
function insideSection(reply: string): string {
  const section = extractSection(reply, THINKING);
  return plain(section.text) || plain(reply);
}
