/** @file `preflexor chat`: lines in, replies out, until the lines end. */
import { createInterface, type Interface } from "node:readline";
import { type ChatSession, createChatSession } from "./chat-session.js";
import { runInFrame } from "./command-frame.js";
import type { Display } from "./demo-display.js";
import { INTERRUPTED } from "./interrupt.js";
import { inFlags, type OpenText, openText } from "./open-text.js";
import type { TextFlags } from "./text-flags.js";

export interface ChatRunOptions extends TextFlags {
  readonly hideThinking: boolean;
  /** Every turn asks for a thinking section. */
  readonly think: boolean;
}

/** Chats until the input ends; resolves to the exit code. */
export async function runChat(options: ChatRunOptions): Promise<number> {
  return runInFrame({ verbose: options.verbose, explain: inFlags }, async (frame) => {
    const open = await openText(options, frame.display, frame.signal);
    frame.onEnd(() => open.model.close());
    if (open.model.template === undefined) {
      throw new Error("the model has no chat template; take an instruct model, or preflexor generate --raw");
    }
    frame.leaveInterrupts();
    return chat(open, options, frame.display);
  });
}

async function chat(
  { model, sampling, adapter }: OpenText,
  options: ChatRunOptions,
  display: Display,
): Promise<number> {
  const atTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    terminal: atTerminal,
    prompt: "> ",
    ...(atTerminal && { output: process.stdout }),
  });
  const session = createChatSession({
    model,
    sampling,
    adapter,
    ...(options.system !== undefined && { system: options.system }),
    hideThinking: options.hideThinking,
    think: options.think,
    output: {
      write: (text) => process.stdout.write(text),
      note: (text) => display.line(text),
      colours: atTerminal,
    },
  });
  const interrupts = onCtrlC(lines, session, display);
  if (atTerminal) display.line("/help lists what else may be typed; Ctrl-C stops a reply");
  let failures = 0;
  try {
    if (atTerminal) lines.prompt();
    for await (const line of lines) {
      interrupts.forget();
      const outcome = await session.take(line);
      if (outcome === "quit" || interrupts.left()) break;
      if (outcome === "failed") failures += 1;
      if (atTerminal) lines.prompt();
    }
  } finally {
    lines.close();
    interrupts.remove();
  }
  if (interrupts.left()) return INTERRUPTED;
  return failures > 0 && !atTerminal ? 1 : 0;
}

/** The first Ctrl-C stops the reply, the next one ends the chat; a line in between makes it the first again. */
function onCtrlC(lines: Interface, session: ChatSession, display: Display) {
  let pressed = false;
  let left = false;
  const press = (): void => {
    if (pressed) {
      left = true;
      session.stop();
      lines.close();
      return;
    }
    pressed = true;
    if (!session.stop()) display.line("\n(Ctrl-C once more leaves)");
  };
  const leave = (): void => {
    pressed = true;
    press();
  };
  lines.on("SIGINT", press);
  process.on("SIGINT", press);
  process.on("SIGTERM", leave);
  process.on("SIGHUP", leave);
  return {
    left: () => left,
    /** A line has come. */
    forget: () => {
      pressed = false;
    },
    remove: () => {
      process.off("SIGINT", press);
      process.off("SIGTERM", leave);
      process.off("SIGHUP", leave);
    },
  };
}
