/** @file A reply in its parts: the thinking, the reflection, and what the model says after them. */

const thinkingMarkers = ["<|thinking|>", "<|/thinking|>"] as const;
const reflectionMarkers = ["<|reflect|>", "<|/reflect|>"] as const;
const sections = [thinkingMarkers, reflectionMarkers] as const;

export interface ReplyParts {
  /** Undefined where the reply has no thinking section. */
  readonly thinking: string | undefined;
  /** Undefined where the reply has no reflection section. */
  readonly reflection: string | undefined;
  /** Undefined where a section was opened and never closed: nothing after it is an answer. */
  readonly answer: string | undefined;
}

/** The answer is what follows the last section. A reply whose start marker stood in the prompt is read as well. */
export function splitReply(reply: string): ReplyParts {
  const unclosed = sections.some(([start, end]) => reply.lastIndexOf(start) > reply.lastIndexOf(end));
  const answerAt = Math.max(...sections.map(([, end]) => after(reply, end)));
  return {
    thinking: sectionOf(reply, thinkingMarkers),
    reflection: sectionOf(reply, reflectionMarkers),
    answer: unclosed ? undefined : reply.slice(answerAt),
  };
}

/** From the first start to the last end. */
function sectionOf(reply: string, [start, end]: readonly [string, string]): string | undefined {
  const opens = reply.indexOf(start);
  const closes = reply.lastIndexOf(end);
  if (opens < 0 && closes < 0) return undefined;
  const from = opens < 0 ? 0 : opens + start.length;
  return reply.slice(from, closes < from ? undefined : closes);
}

/** Where the text goes on after the last `marker`; 0 where there is none. */
function after(text: string, marker: string): number {
  const at = text.lastIndexOf(marker);
  return at < 0 ? 0 : at + marker.length;
}
