// A local model in a LangChain agent, offline. Run it from a clone after `npm ci && npm run build`:
//   node examples/agent-with-local-model.mjs                        the package's own small model, which knows no tools
//   node examples/agent-with-local-model.mjs path/to/Qwen2.5-0.5B   any checkpoint directory; with tools where its chat template has them
import { fileURLToPath } from "node:url";
import { createAgent, tool } from "langchain";
import { EngineChatModel } from "preflexor/langchain";
import { z } from "zod";

const nano = fileURLToPath(new URL("../models/nano", import.meta.url));
const model = await EngineChatModel.open({ model: process.argv[2] ?? nano, temperature: 0, maxNewTokens: 96 });

const hardness = tool(({ mineral }) => (mineral === "talc" ? "1 on the Mohs scale" : "not in the table"), {
  name: "hardness",
  description: "Hardness of a mineral on the Mohs scale.",
  schema: z.object({ mineral: z.string() }),
});

try {
  const tools = model.profile.toolCalling ? [hardness] : [];
  console.log(`${model.modelName}, ${tools.length === 0 ? "no tools" : "with a tool"}`);
  const agent = createAgent({ model, tools });
  const question = process.argv[3] ?? "Which stiffness class does Flankox have? Use <|thinking|>.";

  const { messages } = await agent.invoke({ messages: [{ role: "user", content: question }] });
  const reply = messages.at(-1);
  console.log("thinking:", reply.additional_kwargs.reasoning_content ?? "none");
  console.log("answer:", reply.text);

  process.stdout.write("streamed: ");
  for await (const chunk of await model.stream(question)) process.stdout.write(chunk.text);
  console.log();

  // One batch in the engine; a seed gives the same reply whatever else is in it.
  const samples = await model.batch(
    [question, question, question],
    [1, 2, 3].map((seed) => ({ seed, temperature: 1 })),
  );
  for (const sample of samples) console.log(`seed ${sample.response_metadata.seed}:`, sample.text);
} finally {
  await model.close();
}
