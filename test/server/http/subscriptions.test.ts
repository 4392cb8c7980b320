/** @file Who subscribed to a resource hears of its change, over HTTP and stdio, and nobody else does. */
import { PassThrough } from "node:stream";
import { Client } from "@modelcontextprotocol/client";
import { InMemoryTransport, type McpServer } from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { expect, it } from "vitest";
import { createServer } from "../../../src/server/create-server.js";
import { announceChanges } from "../../../src/tools/index.js";
import { smallContext } from "../../tools/small-context.js";
import { afterwards, connected, running, until } from "./running.js";

const RUN = "preflexor://runs/a";

/** A server that has a resource to subscribe to. */
function offering(server: McpServer): void {
  server.server.registerCapabilities({ resources: { subscribe: true } });
}

it("a 2026 client over HTTP hears of what it listens to, and of nothing else", async () => {
  const server = await running({ extra: offering });
  const { client } = await connected(server, "auto");
  const heard: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
  const subscription = await client.listen({ resourceSubscriptions: [RUN] });
  server.context.changes.publish("preflexor://runs/b");
  server.context.changes.publish(RUN);
  await until(() => heard.length > 0);
  expect(heard).toEqual([RUN]);
  await subscription.close();
  await until(() => server.load.calls === 0);
  server.context.changes.publish(RUN);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(heard).toEqual([RUN]);
});

it("a stop ends listening streams in order", async () => {
  const server = await running({ extra: offering });
  const { client } = await connected(server, "auto");
  await client.listen({ resourceSubscriptions: [RUN] });
  const started = performance.now();
  await server.close({ graceMs: 10_000 });
  expect(performance.now() - started).toBeLessThan(2000);
});

it("a 2026 client over stdio hears of what it listens to, and the server's listener ends with it", async () => {
  const context = await smallContext();
  const [input, output] = [new PassThrough(), new PassThrough()];
  const handle = serveStdio(
    () => {
      const server = createServer(context);
      offering(server);
      announceChanges(server, context);
      return server;
    },
    { transport: new StdioServerTransport(input, output) },
  );
  afterwards(() => handle.close());
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(lines(input, output));
  const heard: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
  await client.listen({ resourceSubscriptions: [RUN] });
  context.changes.publish("preflexor://runs/b");
  context.changes.publish(RUN);
  await until(() => heard.length > 0);
  expect(heard).toEqual([RUN]);
  await client.close();
});

/** The client's side of a stdio connection in this process. */
function lines(input: PassThrough, output: PassThrough) {
  const [own, far] = InMemoryTransport.createLinkedPair();
  far.onmessage = (message) => void input.write(`${JSON.stringify(message)}\n`);
  let text = "";
  output.on("data", (chunk) => {
    text += String(chunk);
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    for (const line of whole) far.send(JSON.parse(line)).catch(() => undefined);
  });
  void far.start();
  return own as unknown as Parameters<Client["connect"]>[0];
}
