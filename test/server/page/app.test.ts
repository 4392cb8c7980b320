/** @file The page as an MCP App: a host shows a run through the protocol, from a real server, and nothing else reaches it. */
import { fileURLToPath } from "node:url";
import type { Browser, FrameLocator } from "playwright-core";
import { build, type Rollup } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { appPage } from "../../../src/server/page/index.js";
import { type SmallContext, smallContext } from "../../tools/small-context.js";
import { type ToolClient, toolClient } from "../../tools/tool-client.js";
import { CHROMIUM, launch, type OpenPage, openPage, WHY_NOT } from "./support/browser.js";
import { TEXT, writeRun } from "./support/written-run.js";

const APP = "ui://preflexor/run.html";

/** What a host must enforce where an app names no domains (SEP-1865, "Content Security Policy"). */
const HOST_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'";

async function hostScript(): Promise<string> {
  const entry = fileURLToPath(new URL("./support/app-host.ts", import.meta.url));
  const lib = { entry, formats: ["iife" as const], name: "host" };
  const [result] = (await build({
    configFile: false,
    logLevel: "error",
    build: { write: false, lib },
  })) as Rollup.RollupOutput[];
  return result!.output[0].code;
}

describe("the app of a run", () => {
  let browser: Browser | undefined;
  let context: SmallContext;
  let tools: ToolClient;
  let run: { id: string };
  beforeAll(async () => {
    context = { ...(await smallContext()), appPage };
    run = await writeRun(context.home);
    tools = await toolClient(context);
  });
  afterAll(async () => {
    await browser?.close();
    await tools.client.close();
    context.stop();
  });

  it("is a resource of the app profile, and named by the tools whose results it shows", async () => {
    const { contents } = await tools.client.readResource({ uri: APP });
    expect(contents[0]).toMatchObject({ uri: APP, mimeType: "text/html;profile=mcp-app" });
    const { tools: listed } = await tools.client.listTools();
    const shown = listed.filter(
      ({ _meta }) => (_meta?.["ui"] as { resourceUri?: string } | undefined)?.resourceUri === APP,
    );
    expect(shown.map(({ name }) => name).sort()).toEqual(["get-run", "start-run"]);
  });

  describe.skipIf(CHROMIUM === undefined)(`in a host in Chromium${WHY_NOT}`, () => {
    let script: string | undefined;
    let open: OpenPage | undefined;
    const read: string[] = [];
    afterEach(async () => {
      await open?.page.context().close();
      read.length = 0;
    });

    async function host(options: { theme: "light" | "dark"; resources: boolean }): Promise<FrameLocator> {
      browser ??= await launch();
      script ??= await hostScript();
      open = await openPage(browser, "about:blank", { viewport: { width: 720, height: 900 } });
      const { page } = open;
      await page.exposeFunction("appHtml", async () => {
        const [content] = (await tools.client.readResource({ uri: APP })).contents as { text: string }[];
        return content!.text.replace(
          "<head>",
          `<head><meta http-equiv="Content-Security-Policy" content="${HOST_POLICY}">`,
        );
      });
      await page.exposeFunction("readResource", async (uri: string) => {
        read.push(uri);
        return tools.client.readResource({ uri });
      });
      await page.exposeFunction("callTool", async (name: string, given: Record<string, unknown>) =>
        tools.client.callTool({ name, arguments: given }),
      );
      await page.setContent('<iframe sandbox="allow-scripts" style="width:100%;height:860px"></iframe>');
      await page.evaluate(script);
      await page.evaluate((given) => (globalThis as never as { hostApp(o: unknown): Promise<void> }).hostApp(given), {
        tool: { arguments: { run: run.id } },
        ...options,
      });
      return page.frameLocator("iframe");
    }

    it("shows the run of the call with all its views, in the host's theme, and reads resources alone", async () => {
      const app = await host({ theme: "dark", resources: true });
      await app.getByRole("heading", { name: run.id }).waitFor();
      await app.locator("canvas").first().waitFor();
      const scheme = () => app.locator("html").evaluate((html) => html.getAttribute("data-theme"));
      expect(await scheme()).toBe("dark");
      await open!.page.evaluate("setTheme('light')");
      await expect.poll(scheme).toBe("light");
      await app.getByRole("link", { name: "Pairs" }).click();
      await app.getByRole("link", { name: `${TEXT} 1?` }).click();
      await app
        .getByRole("article")
        .getByRole("heading", { name: `${TEXT} 1?` })
        .waitFor();
      await app.getByRole("link", { name: "Recursion" }).click();
      await app.locator("ins").first().waitFor();
      await app.getByRole("link", { name: "Questions" }).click();
      await app.locator(".graph-canvas canvas").first().waitFor();
      expect(open!.complaints).toEqual([]);
      expect(open!.requests.filter((url) => !/^(?:about|data|blob):/.test(url))).toEqual([]);
      expect([...new Set(read)].every((uri) => uri.startsWith(`preflexor://runs/${run.id}`))).toBe(true);
    });

    it("still tells of the run where the host passes tools on but no resources", async () => {
      const app = await host({ theme: "light", resources: false });
      await app.getByRole("heading", { name: run.id }).waitFor();
      await app.getByText("completed").or(app.getByText("interrupted")).first().waitFor();
      await app.getByText("passes on no resources").waitFor();
      expect(read).toEqual([]);
    });
  });
});
