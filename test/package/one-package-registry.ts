/** @file A registry on loopback that serves one packed tarball, as npm's own does, and sends every other request on to the real one. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface OnePackageRegistry {
  readonly url: string;
  close(): Promise<void>;
}

/** `upstream`: the registry that npm is configured with. */
export async function servePackage(tarball: string, upstream: string): Promise<OnePackageRegistry> {
  const bytes = readFileSync(tarball);
  const manifest = JSON.parse(execFileSync("tar", ["-xOzf", tarball, "package/package.json"], { encoding: "utf8" }));
  const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  const server: Server = createServer((request, response: ServerResponse) => {
    const base = `http://${request.headers.host}`;
    if (request.url === `/${manifest.name}.tgz`) response.end(bytes);
    else if (request.url === `/${manifest.name}`) {
      // The registry sets this mark where a tarball holds npm-shrinkwrap.json; npm reads the file only where it is set.
      const dist = { tarball: `${base}/${manifest.name}.tgz`, integrity };
      const version = { ...manifest, _hasShrinkwrap: true, dist };
      response.setHeader("content-type", "application/json");
      const versions = { [manifest.version]: version };
      response.end(JSON.stringify({ name: manifest.name, "dist-tags": { latest: manifest.version }, versions }));
    } else response.writeHead(307, { location: new URL(request.url ?? "/", upstream).href }).end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
