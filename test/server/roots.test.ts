/** @file What a server's settings open: configured roots in place of the default ones, and nothing of the user's to other machines. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { NANO_MODEL, readConfig } from "../../src/server/config.js";
import { pathGuardOf, type RootOptions } from "../../src/server/roots.js";

const HOME = "/srv/preflexor";
const guard = (env: Record<string, string> = {}, options: RootOptions = { cwd: "/srv/work" }) =>
  pathGuardOf(readConfig({ PREFLEXOR_HOME: HOME, HF_HUB_CACHE: "/srv/hub", ...env }, "linux", "/home/me"), options);

it("configured roots take the place of the default ones", async () => {
  expect(await guard().read("/srv/work/a.md")).toBe("/srv/work/a.md");
  const configured = guard({ PREFLEXOR_ROOTS: "/data" });
  expect(await configured.read("/data/a.md")).toBe("/data/a.md");
  await expect(configured.read("/srv/work/a.md")).rejects.toThrow(/PREFLEXOR_ROOTS/);
});

it("runs, models and what comes with the package are always among them, but only runs may be written to", async () => {
  const configured = guard({ PREFLEXOR_ROOTS: "/data" });
  for (const path of [join(HOME, "runs", "x"), NANO_MODEL, "/srv/hub/models--a--b"])
    expect(await configured.read(path)).toBe(path);
  expect(await configured.write(join(HOME, "exports", "x"))).toBe(join(HOME, "exports", "x"));
  expect(await configured.write("/data/x")).toBe("/data/x");
  for (const path of [NANO_MODEL, "/srv/hub/x"]) await expect(configured.write(path)).rejects.toThrow(/may write/);
});

it("where callers are on other machines, nothing of the user's is open unless it is configured", async () => {
  const remote = { cwd: "/srv/work", remote: true };
  for (const path of ["/srv/work/a.md", "/home/me/a.md", "/tmp/a.md"])
    await expect(guard({}, remote).read(path)).rejects.toThrow(/lies outside/);
  expect(await guard({ PREFLEXOR_ROOTS: "/data" }, remote).read("/data/a.md")).toBe("/data/a.md");
});
