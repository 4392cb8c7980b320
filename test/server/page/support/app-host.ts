/** @file A client that renders MCP Apps, as a web page: an iframe without an origin, and ext-apps' own bridge to it. */
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

/** What the test in Node gives the page: the real server, asked for the app. */
interface Outside {
  readResource(uri: string): Promise<never>;
  callTool(name: string, given: unknown): Promise<never>;
  appHtml(): Promise<string>;
}

interface HostPage extends Outside {
  hostApp(options: {
    tool: { arguments: Record<string, unknown> };
    theme: "light" | "dark";
    resources: boolean;
  }): Promise<void>;
  setTheme(theme: "light" | "dark"): void;
}

const page = globalThis as unknown as HostPage & { document: { querySelector(name: string): unknown } };

page.hostApp = async ({ tool, theme, resources }) => {
  const frame = page.document.querySelector("iframe") as { contentWindow: never; srcdoc: string };
  const capabilities = { serverTools: {}, ...(resources && { serverResources: {} }) };
  const bridge = new AppBridge(null, { name: "host", version: "1" }, capabilities, { hostContext: { theme } });
  bridge.oncalltool = ({ name, arguments: given }) => page.callTool(name, given);
  bridge.onreadresource = ({ uri }) => page.readResource(uri);
  bridge.oninitialized = () => {
    void bridge
      .sendToolInput(tool)
      .then(async () => bridge.sendToolResult(await page.callTool("get-run", tool.arguments)));
  };
  page.setTheme = (next) => bridge.setHostContext({ theme: next });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = await page.appHtml();
};
