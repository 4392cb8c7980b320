/** @file Entry of ui://preflexor/run.html: the page inside an MCP client, with the client's theme. */
import { App, type McpUiHostContext } from "@modelcontextprotocol/ext-apps";
import { render } from "preact";
import { appSource, runNamed } from "./app-source.js";
import { Page } from "./page.js";
import "./styles.js";
import { setTheme } from "./theme.js";

/** A host that tells no tool call (a person opened the page) gets the list of runs after so long. */
const PATIENCE_MS = 1500;

const root = document.getElementById("page")!;
const app = new App({ name: "preflexor", version: "1" }, {});
let shown: string | undefined;

function show(run: string | undefined): void {
  if (shown !== undefined && (run === undefined || run === shown)) return;
  shown = run ?? "";
  root.textContent = "";
  render(<Page key={shown} source={appSource(app, run)} hosted />, root);
}

function adopt({ theme }: McpUiHostContext): void {
  if (theme !== undefined) setTheme(theme);
}

app.ontoolinput = ({ arguments: given }) => {
  const run = runNamed(given);
  if (run !== undefined) show(run);
};
app.ontoolresult = ({ structuredContent }) => show(runNamed(structuredContent));
app.onhostcontextchanged = adopt;
async function connect(): Promise<void> {
  try {
    await app.connect();
    adopt(app.getHostContext() ?? {});
    setTimeout(() => show(undefined), PATIENCE_MS);
  } catch (error) {
    root.textContent = `The host of this app does not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}

void connect();
