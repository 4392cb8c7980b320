/** @file Recursive reasoning as a LangGraph graph: the same steps as nodes, for streaming, checkpointers and larger graphs. */
import type { BaseCheckpointSaver, LangGraphRunnableConfig } from "@langchain/langgraph";
import {
  checkReasoning,
  mostAnswers,
  type ReasoningState,
  resultOf,
  type StepName,
  startState,
  type Update,
} from "./reasoning-state.js";
import { reasoningSteps } from "./reasoning-steps.js";
import type { ReasoningContext, ReasoningResult, ReasoningSettings } from "./reasoning-types.js";
import { eventOf } from "./recursive-reasoning.js";

/** Nodes by step. A node may not have the name of a state's key. */
const NODES = {
  answer: "write-answer",
  score: "score-round",
  feedback: "give-feedback",
  improve: "improve-thinking",
  integrate: "integrate-answers",
  end: "conclude",
} as const satisfies Record<StepName | "end", string>;

export type ReasoningNode = (typeof NODES)[keyof typeof NODES];

export type ReasoningGraph = Awaited<ReturnType<typeof createReasoningGraph>>;

export interface ReasoningGraphOptions {
  /** Keeps the state after every node, so that a run can be stopped, looked at, changed and continued. */
  readonly checkpointer?: BaseCheckpointSaver;
  /** Stops before these nodes until it is invoked again; needs a checkpointer. */
  readonly interruptBefore?: readonly ReasoningNode[];
}

/**
 * Takes `{question}` and gives `{answer, result}`: a node of any graph whose state has these keys. With the stream mode
 * "custom" it sends what `recursiveReason` yields. A run costs some milliseconds more than `recursiveReason`.
 */
export async function createReasoningGraph(
  context: ReasoningContext,
  settings: ReasoningSettings,
  { checkpointer, interruptBefore }: ReasoningGraphOptions = {},
) {
  checkReasoning(settings, []);
  const { Annotation, END, START, StateGraph } = await import("@langchain/langgraph");
  const steps = reasoningSteps(context, settings);
  const input = Annotation.Root({ question: Annotation<string>() });
  const output = Annotation.Root({ answer: Annotation<string>(), result: Annotation<ReasoningResult>() });
  const state = Annotation.Root({
    ...input.spec,
    ...output.spec,
    reasoning: Annotation<ReasoningState, ReasoningState | Update>({ reducer: withChanges }),
  });
  type State = typeof state.State;

  const node =
    (step: StepName) =>
    async ({ reasoning }: State, config: LangGraphRunnableConfig) => {
      const changed = { ...reasoning, ...(await steps[step](reasoning, config.signal)) };
      const event = eventOf(step, changed, settings);
      if (event !== undefined) config.writer?.(event);
      return { reasoning: changed };
    };
  const begin = ({ question }: State) => {
    checkReasoning(settings, [question]);
    return { reasoning: startState(question) };
  };
  const conclude = ({ reasoning }: State, config: LangGraphRunnableConfig) => {
    const result = resultOf(reasoning);
    config.writer?.({ kind: "done", result });
    return { answer: result.answer, result };
  };
  const onward = ({ reasoning }: State): ReasoningNode => NODES[reasoning.next];

  const graph = new StateGraph({ state, input, output })
    .addNode("begin", begin)
    .addNode(NODES.answer, node("answer"))
    .addNode(NODES.score, node("score"))
    .addNode(NODES.feedback, node("feedback"))
    .addNode(NODES.improve, node("improve"))
    .addNode(NODES.integrate, node("integrate"))
    .addNode(NODES.end, conclude)
    .addEdge(START, "begin")
    .addEdge("begin", NODES.answer)
    .addEdge(NODES.answer, NODES.score)
    .addConditionalEdges(NODES.score, onward, [NODES.answer, NODES.feedback, NODES.integrate, NODES.end])
    .addConditionalEdges(NODES.feedback, onward, [NODES.improve, NODES.end])
    .addConditionalEdges(NODES.improve, onward, [NODES.answer, NODES.integrate, NODES.end])
    .addEdge(NODES.integrate, NODES.end)
    .addEdge(NODES.end, END)
    .compile({
      name: "recursive-reasoning",
      ...(checkpointer && { checkpointer }),
      ...(interruptBefore && { interruptBefore: [...interruptBefore] }),
    });
  // Four nodes a round, beside the first and the last ones; LangGraph's own limit is 25.
  return graph.withConfig({ recursionLimit: 4 * mostAnswers(settings) + 4 });
}

/** Steps change some keys; a whole state, which alone has a question, begins anew. */
function withChanges(state: ReasoningState, changed: ReasoningState | Update): ReasoningState {
  return isWhole(changed) ? changed : { ...state, ...changed };
}

const isWhole = (changed: ReasoningState | Update): changed is ReasoningState => changed.question !== undefined;
