/** @file Fixture tools of the extension io.modelcontextprotocol/tasks, on the product's own tasks. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallToolResult,
  type InputRequest,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { withClient } from "../../dist/tools/client-sampling.js";
import type { ToolContext } from "../../dist/tools/index.js";
import { registerTasks } from "../../dist/tools/tasks/register-tasks.js";
import type { TaskTools } from "../../dist/tools/tasks/task-tools.js";
import { text } from "./fixtures-content.js";

/** Long enough that a task is seen at work. */
const FAILS_AFTER_MS = 300;

const TASKS: TaskTools = {
  slow_compute: { support: "optional" },
  failing_job: { support: "required" },
  protocol_error_job: { support: "optional" },
  confirm_delete: { support: "optional" },
  multi_input: { support: "optional" },
  test_tool_with_task: { support: "required", asksFirst: true },
};

export function registerTaskFixtures(server: McpServer, context: ToolContext): void {
  server.registerTool("greet", described("greets, never as a task", { name: z.string() }), async ({ name }) =>
    said(`Hello, ${name}!`),
  );
  server.registerTool(
    "slow_compute",
    described("sleeps, and can be cancelled", { seconds: z.number().min(0), label: z.string().optional() }),
    ({ seconds, label = "" }, request) =>
      withClient({ server, context, request }, async (_client, signal) => {
        await sleep(seconds * 1000, undefined, { signal });
        return said(`${label} computed for ${seconds} s`);
      }),
  );
  server.registerTool("failing_job", described("fails as a tool does"), async () => {
    await sleep(FAILS_AFTER_MS);
    throw new Error("the job failed");
  });
  server.registerTool("protocol_error_job", described("fails as the protocol does"), async () => {
    // The one error of the protocol that the SDK does not make a tool's result of.
    throw new ProtocolError(ProtocolErrorCode.UrlElicitationRequired, "the job needs a page", { elicitations: [] });
  });
  server.registerTool(
    "confirm_delete",
    described("asks once", { filename: z.string() }),
    async ({ filename }, request) =>
      afterAnswers(request, { confirm: confirmation(`Delete ${filename}?`) }, () =>
        said(`${filename} would be deleted`),
      ),
  );
  server.registerTool("multi_input", described("asks two things at once"), async (_none, request) =>
    afterAnswers(request, { first: confirmation("The first?"), second: confirmation("The second?") }, () =>
      said("both"),
    ),
  );
  server.registerTool("test_tool_with_task", described("asks, and then works as a task"), async (_none, request) =>
    afterAnswers(request, { user_name: nameQuestion() }, ({ user_name: answer }) =>
      said(`Hello, ${answer?.["name"]}!`),
    ),
  );
  registerTasks(server, context, TASKS);
}

type Contents = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/** Asks for what has no answer yet; with all answers, the result. */
function afterAnswers(
  { mcpReq: { inputResponses } }: ServerContext,
  questions: Readonly<Record<string, InputRequest>>,
  result: (contents: Contents) => CallToolResult,
): CallToolResult | InputRequiredResult {
  const answers = Object.keys(questions).map((key) => [key, inputResponse(inputResponses, key)] as const);
  if (answers.some(([, { kind }]) => kind === "missing")) return inputRequired({ inputRequests: { ...questions } });
  const contents = answers.map(
    ([key, answer]) => [key, answer.kind === "elicit" ? answer.content : undefined] as const,
  );
  return result(Object.fromEntries(contents));
}

function confirmation(message: string): InputRequest {
  const properties = { confirm: { type: "boolean" as const } };
  return inputRequired.elicit({ message, requestedSchema: { type: "object", properties } });
}

function nameQuestion(): InputRequest {
  const properties = { name: { type: "string" as const } };
  const requestedSchema = { type: "object" as const, properties, required: ["name"] };
  return inputRequired.elicit({ message: "What is your name?", requestedSchema });
}

function described<T extends z.ZodRawShape>(what: string, shape: T = {} as T) {
  return { description: `Conformance: ${what}`, inputSchema: z.object(shape) };
}

const said = (words: string): CallToolResult => ({ content: [text(words)] });
