/** @file The planner that is a program, as a chat model: it reads the conversation that any model would, and answers by a policy. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel, type BindToolsInput } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import { readTask, SUBMIT_REPORT } from "./orchestrator-prompt.js";
import { parseOrchestratorTask } from "./orchestrator-task.js";
import { nextMove } from "./planner-policy.js";
import { readRecords } from "./tool-records.js";

/** Its name says in every report that no language model planned. */
export const PLANNER_NAME = "planning program, no language model";

export class PlannerModel extends BaseChatModel {
  override _llmType(): string {
    return PLANNER_NAME;
  }

  /** It knows the tools that it calls; the agent has checked that they are there. */
  override bindTools(_tools: BindToolsInput[]): PlannerModel {
    return this;
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    _runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    options.signal?.throwIfAborted();
    const asked = messages.find((message) => message.getType() === "human")?.text ?? "";
    const task = readTask(asked);
    if (task === undefined)
      throw new Error("expected a user's turn with a <task>, as orchestrate() writes it, found none");
    const move = nextMove(parseOrchestratorTask(task), readRecords(messages));
    const id = `call-${messages.length}`;
    const message =
      move.kind === "call"
        ? new AIMessage({ content: move.why, tool_calls: [{ id, name: move.name, args: { ...move.args } }] })
        : new AIMessage({ content: "", tool_calls: [{ id, name: SUBMIT_REPORT, args: { ...move.handIn } }] });
    return { generations: [{ text: message.text, message }] };
  }
}

export const createPlanner = (): PlannerModel => new PlannerModel({});
