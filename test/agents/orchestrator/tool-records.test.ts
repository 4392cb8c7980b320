/** @file Results of tools as models see them: as this package's tools and as MCP adapters write them. */
import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { expect, it } from "vitest";
import { outcomeOf, readRecords } from "../../../src/agents/orchestrator/tool-records.js";

const message = (content: string, status: "success" | "error" = "success", id = "1"): ToolMessage =>
  new ToolMessage({ content, tool_call_id: id, status });

it("a result is the same whether an adapter wrapped it or not", () => {
  const data = { steps: 3 };
  const wrapped = { type: "text", text: JSON.stringify(data), structuredContent: data };
  expect(outcomeOf(message(JSON.stringify(data)))).toEqual({ ok: true, data });
  expect(outcomeOf(message(JSON.stringify(wrapped)))).toEqual({ ok: true, data });
});

it.each(["", "done", "12", "null", '{"steps":'])("%j is no result, and is told as what was found", (text) => {
  expect(outcomeOf(message(text))).toEqual({
    ok: false,
    error: expect.stringContaining("expected a result as JSON, found"),
  });
});

it("an error stays an error, also where its text is JSON", () => {
  expect(outcomeOf(message("{}", "error"))).toEqual({ ok: false, error: "{}" });
});

it("calls are joined with their results, and those without one are left out", () => {
  const calls = [
    { id: "a", name: "one", args: { n: 1 } },
    { id: "b", name: "two", args: { n: 2 } },
    { id: "c", name: "three", args: {} },
  ];
  const messages = [
    new HumanMessage("go"),
    new AIMessage({ content: "", tool_calls: calls }),
    message('{"x":2}', "success", "b"),
    message("no", "error", "a"),
    message("{}", "success", "unknown"),
  ];
  expect(readRecords(messages)).toEqual([
    { name: "two", args: { n: 2 }, ok: true, data: { x: 2 } },
    { name: "one", args: { n: 1 }, ok: false, error: "no" },
  ]);
});
