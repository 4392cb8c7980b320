/** @file Fixture tools that ask the client: one handler for both eras; the core asks between rounds, or while the call is open. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type ElicitRequestFormParams,
  type GetPromptResult,
  type InputRequest,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { requestStates } from "../../dist/tools/index.js";
import { text } from "./fixtures-content.js";

type Requests = Readonly<Record<string, InputRequest>>;
type FormSchema = ElicitRequestFormParams["requestedSchema"];

const askName = elicit("What is your name?", { name: { type: "string" } });
const askOk = elicit("Please confirm", { ok: { type: "boolean" } });

/** Tools without arguments: what they ask, round by round, and whether a state travels along. */
const ASKING: Readonly<Record<string, { readonly rounds: readonly Requests[]; readonly stateful?: boolean }>> = {
  test_input_required_result_elicitation: { rounds: [{ user_name: askName }] },
  test_streaming_elicitation: { rounds: [{ user_name: askName }] },
  test_input_required_result_sampling: { rounds: [{ capital_question: sample("What is the capital of France?") }] },
  test_missing_capability: { rounds: [{ capital_question: sample("What is the capital of France?") }] },
  test_input_required_result_list_roots: { rounds: [{ client_roots: inputRequired.listRoots() }] },
  test_input_required_result_request_state: { rounds: [{ confirm: askOk }], stateful: true },
  test_input_required_result_tampered_state: { rounds: [{ confirm: askOk }], stateful: true },
  test_input_required_result_multiple_inputs: {
    rounds: [{ user_name: askName, greeting: sample("Generate a greeting"), client_roots: inputRequired.listRoots() }],
    stateful: true,
  },
  test_input_required_result_multi_round: {
    rounds: [
      { step1: elicit("Step 1: What is your name?", { name: { type: "string" } }) },
      { step2: elicit("Step 2: What is your favorite color?", { color: { type: "string" } }) },
    ],
    stateful: true,
  },
  test_elicitation_sep1034_defaults: {
    rounds: [
      {
        form: elicit(
          "Please review and update the form fields with defaults",
          {
            name: { type: "string", default: "John Doe" },
            age: { type: "integer", default: 30 },
            score: { type: "number", default: 95.5 },
            status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
            verified: { type: "boolean", default: true },
          },
          [],
        ),
      },
    ],
  },
  test_elicitation_sep1330_enums: { rounds: [{ form: elicit("Please select options", enumFields(), []) }] },
};

export function registerInputFixtures(server: McpServer): void {
  for (const [name, { rounds, stateful = false }] of Object.entries(ASKING)) {
    server.registerTool(name, { description: "Conformance: asks the client" }, async (context) => {
      const ask = await nextRound(context, rounds, stateful);
      return ask ?? { content: [text(summary(context, rounds))] };
    });
  }
  server.registerTool(
    "test_sampling",
    { description: "Conformance: asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const rounds = [{ reply: sample(prompt) }];
      return (await nextRound(context, rounds)) ?? { content: [text(`LLM response: ${summary(context, rounds)}`)] };
    },
  );
  server.registerTool(
    "test_elicitation",
    { description: "Conformance: asks the user", inputSchema: z.object({ message: z.string() }) },
    async ({ message }, context) => {
      const rounds = [{ user: elicit(message, { username: { type: "string" }, email: { type: "string" } }) }];
      return (await nextRound(context, rounds)) ?? { content: [text(`User response: ${summary(context, rounds)}`)] };
    },
  );
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Conformance: asks only what the client says it can answer" },
    async (context) => {
      const { sampling, elicitation } = capabilitiesOf(context);
      const rounds = [{ ...(sampling && { reply: sample("Say hello") }), ...(elicitation && { user_name: askName }) }];
      return (await nextRound(context, rounds)) ?? { content: [text(summary(context, rounds))] };
    },
  );
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Conformance: a prompt that asks first" },
    async (context): Promise<GetPromptResult | InputRequiredResult> => {
      const rounds = [{ user_context: elicit("What context should the prompt use?", { context: { type: "string" } }) }];
      const ask = await nextRound(context, rounds);
      return ask ?? { messages: [{ role: "user", content: text(`In this context: ${summary(context, rounds)}`) }] };
    },
  );
}

/** What is still to be asked: the requests of the first round that lacks an answer. Undefined where all are there. */
async function nextRound(
  context: ServerContext,
  rounds: readonly Requests[],
  stateful = false,
): Promise<InputRequiredResult | undefined> {
  const { inputResponses, requestState } = context.mcpReq;
  // Later rounds carry no answers of earlier ones: the state says which round the answers are for.
  const asked = stateful ? Number(requestState<string>()?.split("-").at(-1) ?? 0) : 0;
  const round = Math.max(0, asked - 1);
  const missing = Object.entries(rounds[round] ?? {}).filter(
    ([key]) => inputResponse(inputResponses, key).kind === "missing",
  );
  const next = missing.length > 0 ? round : round + 1;
  const requests = missing.length > 0 ? Object.fromEntries(missing) : rounds[next];
  if (requests === undefined) return undefined;
  return inputRequired({
    inputRequests: requests,
    ...(stateful && { requestState: await requestStates.mint(`round-${next + 1}`, context) }),
  });
}

/** The answers as text; where a state came back, that it was this server's own. */
function summary({ mcpReq }: ServerContext, rounds: readonly Requests[]): string {
  const answers = rounds.flatMap((round) =>
    Object.keys(round).map((key) => {
      const answer = inputResponse(mcpReq.inputResponses, key);
      if (answer.kind === "elicit") return `action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`;
      if (answer.kind === "sampling") return JSON.stringify(answer.result.content);
      return answer.kind === "roots" ? answer.roots.map(({ uri }) => uri).join(", ") : "";
    }),
  );
  return [...answers, ...(mcpReq.requestState() === undefined ? [] : ["state-ok"])].filter(Boolean).join("; ");
}

function capabilitiesOf({ mcpReq }: ServerContext): ClientCapabilities {
  const envelope = mcpReq.envelope as { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities } | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

function elicit(
  message: string,
  properties: FormSchema["properties"],
  required = Object.keys(properties),
): InputRequest {
  return inputRequired.elicit({ message, requestedSchema: { type: "object", properties, required } });
}

function sample(prompt: string): InputRequest {
  return inputRequired.createMessage({ messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 });
}

function enumFields(): FormSchema["properties"] {
  const options = ["option1", "option2", "option3"];
  const titled = ["First", "Second", "Third"].map((title, i) => ({ const: `value${i + 1}`, title }));
  return {
    untitledSingle: { type: "string", enum: options },
    titledSingle: { type: "string", oneOf: titled },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
    untitledMulti: { type: "array", items: { type: "string", enum: options } },
    titledMulti: { type: "array", items: { anyOf: titled } },
  };
}
