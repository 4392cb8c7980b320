/** @file `preflexor chat` on the command line. */
import { Command } from "commander";
import type { ChatRunOptions } from "./chat-run.js";
import { addTextFlags, readTextFlags } from "./text-flags.js";

const EXAMPLES = `
In the chat: /reset begins anew, /system <text> sets the system message, /save <file> appends the chat to a file that
preflexor train --texts reads, /quit leaves. Ctrl-C stops a reply and keeps the chat; once more leaves.
Examples:
  $ preflexor chat --model ./SmolLM2-135M-Instruct --system "You are a patient tutor."
  $ preflexor chat --adapter out/adapter --think
  $ printf 'Name a stone.\\nWhy is it tough?\\n' | preflexor chat --seed 7       a line is a turn
`;

export function chatCommand(run: (options: ChatRunOptions) => Promise<void>): Command {
  const command = new Command("chat")
    .description("a conversation with a model, at a terminal or through a pipe")
    .option("--system <text>", "the system message")
    .option("--think", "ends every turn in the words that ask for a thinking section")
    .option("--hide-thinking", "shows answers only")
    .addHelpText("after", EXAMPLES);
  return addTextFlags(command).action(async (parsed: Readonly<Record<string, unknown>>) => {
    const { hideThinking, think } = parsed;
    await run({ ...readTextFlags(parsed), hideThinking: hideThinking === true, think: think === true });
  });
}
