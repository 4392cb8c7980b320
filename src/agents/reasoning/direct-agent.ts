/** @file One call of a chat model that hands in its result as typed data: a structured agent without the agent's loop. */
import { chatModelName, type StructuredAgent, type StructuredAgentOptions } from "../structured-agent.js";

/**
 * Asks once: no retrieval of its own, no second try, no middleware. For thousands of calls of a model that computes in
 * this process, where the loop would take most of the time.
 */
export async function createDirectAgent<T extends Record<string, unknown>>({
  model,
  system,
  schema,
}: Pick<StructuredAgentOptions<T>, "model" | "system" | "schema">): Promise<Omit<StructuredAgent<T>, "calls">> {
  const { HumanMessage, SystemMessage } = await import("@langchain/core/messages");
  const { title: name = "submit", description = "Hands in the result." } = schema.meta() ?? {};
  const modelName = chatModelName(model);
  if (model.bindTools === undefined)
    throw new Error(`expected a model with tool calls, found ${modelName}, which has none: use another one`);
  const bound = model.bindTools([{ name, description, schema }], { tool_choice: name });
  return {
    modelName,
    async run(user, signal) {
      signal?.throwIfAborted();
      const messages = [new SystemMessage(system), new HumanMessage(user)];
      const reply = await bound.invoke(messages, { ...(signal && { signal }) });
      const call = reply.tool_calls?.find((made) => made.name === name);
      if (call === undefined)
        throw new Error(`expected ${modelName} to call ${name}, found a plain reply: use a model with tool calls`);
      return { value: schema.parse(call.args), passages: [] };
    },
  };
}
