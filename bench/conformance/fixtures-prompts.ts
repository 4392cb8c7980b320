/** @file Fixture prompts: plain, with arguments and completion, with a resource, with an image. */
import { completable, type GetPromptResult, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { PNG, text } from "./fixtures-content.js";

export function registerPromptFixtures(server: McpServer): void {
  server.registerPrompt("test_simple_prompt", { description: "Conformance: one message" }, async () =>
    userMessages(text("This is a simple prompt for testing.")),
  );
  const argument = (values: readonly string[]) =>
    completable(z.string(), (typed) => values.filter((value) => value.startsWith(typed)));
  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "Conformance: two arguments",
      argsSchema: z.object({ arg1: argument(["test", "testValue1"]), arg2: argument(["testValue2"]) }),
    },
    async ({ arg1, arg2 }) => userMessages(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Conformance: a resource inside", argsSchema: z.object({ resourceUri: z.string() }) },
    async ({ resourceUri }) =>
      userMessages(
        {
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content." },
        },
        text("Please process the embedded resource above."),
      ),
  );
  server.registerPrompt("test_prompt_with_image", { description: "Conformance: an image" }, async () =>
    userMessages({ type: "image", data: PNG, mimeType: "image/png" }, text("Please analyze the image above.")),
  );
}

type Content = GetPromptResult["messages"][number]["content"];

function userMessages(...contents: readonly Content[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: "user", content })) };
}
