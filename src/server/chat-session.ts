/** @file A conversation turn by turn: what was said, the commands in it, a reply that is shown while it comes. */
import { appendFile } from "node:fs/promises";
import { PROMPT_SUFFIX, type TextMessage, type TextModel, type TextSampling } from "../trainer/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { messageOf } from "./log.js";
import { inFlags } from "./open-text.js";

export interface ChatOutput {
  /** What the model says. */
  readonly write: (text: string) => void;
  /** What the program says about it, a line. */
  readonly note: (text: string) => void;
  /** Thinking is dimmed; else it stands between its markers. */
  readonly colours: boolean;
}

export interface ChatSessionOptions {
  readonly model: Pick<TextModel, "stream">;
  readonly sampling: TextSampling;
  readonly adapter: string;
  readonly system?: string;
  readonly hideThinking: boolean;
  readonly think: boolean;
  readonly output: ChatOutput;
}

export interface ChatSession {
  /** A line that was typed: a turn or a command. Tells how it went, or that the chat is over. */
  take(line: string): Promise<"done" | "failed" | "quit">;
  /** Stops the reply under way; false where there is none. */
  stop(): boolean;
}

interface Turn {
  readonly user: string;
  readonly answer: string;
  /** Answer and thinking, as the model wrote them. */
  readonly text: string;
}

const COMMANDS = ["/reset", "/save", "/system", "/quit", "/help"];
const HELP = "/reset begins anew · /system <text> · /save <file> · /quit · Ctrl-C stops a reply";
const DIM = "\u001b[2m";
const PLAIN = "\u001b[0m";

export function createChatSession(options: ChatSessionOptions): ChatSession {
  const { output } = options;
  let system = options.system;
  let turns: Turn[] = [];
  let running: AbortController | undefined;
  let count = 0;

  const conversation = (last: string): TextMessage[] => [
    ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
    ...turns.flatMap(({ user, answer }): TextMessage[] => [
      { role: "user", content: user },
      { role: "assistant", content: answer },
    ]),
    { role: "user", content: last },
  ];

  const answer = async (line: string): Promise<"done" | "failed"> => {
    const user = options.think && !line.endsWith(PROMPT_SUFFIX) ? line + PROMPT_SUFFIX : line;
    const { seed } = options.sampling;
    const sampling = { ...options.sampling, ...(seed !== undefined && { seed: seed + count }) };
    count += 1;
    const screen = createScreen(output, options.hideThinking);
    const controller = new AbortController();
    running = controller;
    let whole: string | undefined;
    try {
      const request = { messages: conversation(user), sampling, adapter: options.adapter };
      for await (const part of options.model.stream(request, { signal: controller.signal })) {
        if (part.kind === "reasoning" || part.kind === "content") screen.show(part.kind, part.text);
        if (part.kind === "end") {
          whole = part.reply.text;
          if (part.reply.finishReason === "length") output.note("(cut: --max-new-tokens, or the context, is used up)");
        }
      }
    } catch (error) {
      if (!controller.signal.aborted) {
        screen.end();
        output.note(`error: ${messageOf(inFlags(error))}${turns.length > 0 ? " (/reset begins anew)" : ""}`);
        return "failed";
      }
    } finally {
      running = undefined;
    }
    screen.end();
    if (whole === undefined)
      output.note(screen.answer() === "" ? "(stopped; nothing is kept of it)" : "(stopped; what is shown is kept)");
    if (whole !== undefined || screen.answer() !== "") {
      turns.push({ user, answer: screen.answer(), text: whole ?? screen.answer() });
    }
    return "done";
  };

  const save = async (file: string): Promise<"done" | "failed"> => {
    if (file === "" || turns.length === 0) {
      output.note(file === "" ? "/save needs the name of a file" : "there is nothing to save yet");
      return "failed";
    }
    const messages = [
      ...(system === undefined ? [] : [{ role: "system", content: system }]),
      ...turns.flatMap(({ user, text }) => [
        { role: "user", content: user },
        { role: "assistant", content: text },
      ]),
    ];
    try {
      await appendFile(file, `${JSON.stringify({ messages })}\n`);
    } catch (error) {
      output.note(`error: ${messageOf(error)}`);
      return "failed";
    }
    output.note(`added to ${file}, a line of messages as preflexor train --texts reads them`);
    return "done";
  };

  const command = async (line: string): Promise<"done" | "failed" | "quit"> => {
    const [name = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(line)?.slice(1) ?? [];
    switch (name) {
      case "/quit":
        return "quit";
      case "/reset":
        turns = [];
        output.note("(a new chat)");
        return "done";
      case "/system":
        system = rest === "" ? undefined : rest;
        output.note(rest === "" ? "(no system message from here on)" : "(the system message holds from here on)");
        return "done";
      case "/save":
        return save(rest.trim());
      case "/help":
        output.note(HELP);
        return "done";
      default: {
        const guess = nearest(name, COMMANDS);
        output.note(`there is no ${name}; ${guess === undefined ? HELP : `did you mean ${guess}?`}`);
        return "failed";
      }
    }
  };

  return {
    async take(line) {
      const text = line.trim();
      if (text === "") return "done";
      return text.startsWith("/") ? command(text) : answer(text);
    },
    stop() {
      running?.abort(new Error("stopped"));
      return running !== undefined;
    },
  };
}

/** Shows a reply: thinking dimmed or between markers, the answer behind it. */
function createScreen({ write, colours }: ChatOutput, hideThinking: boolean) {
  let section: "reasoning" | "content" | undefined;
  let answer = "";
  let lineEnded = true;
  const put = (text: string): void => {
    write(text);
    if (text !== "") lineEnded = text.endsWith("\n");
  };
  const leave = (): void => {
    if (section === "reasoning") put(colours ? `${PLAIN}\n` : "\n<|/thinking|>\n");
  };
  return {
    show(kind: "reasoning" | "content", text: string) {
      if (kind === "content") answer += text;
      if (kind === "reasoning" && hideThinking) return;
      if (kind !== section) {
        leave();
        if (kind === "reasoning") put(`${lineEnded ? "" : "\n"}${colours ? DIM : "<|thinking|>\n"}`);
        section = kind;
      }
      put(text);
    },
    end() {
      if (section === "reasoning") leave();
      else if (!lineEnded) put("\n");
      section = undefined;
    },
    answer: () => answer,
  };
}
