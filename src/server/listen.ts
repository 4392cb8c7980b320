/** @file An HTTP server on its address, or what to do where the address cannot be had. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Resolves to the origin, such as http://127.0.0.1:8765. */
export function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, host, port)));
    server.listen(port, host, () => {
      const { address, family, port: taken } = server.address() as AddressInfo;
      resolve(`http://${family === "IPv6" ? `[${address}]` : address}:${taken}`);
    });
  });
}

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const advice = cause.code === "EADDRINUSE" ? "the port is taken: give another --port, or 0 for any" : cause.message;
  return new Error(`${host}:${port} cannot be listened on: ${advice}`, { cause });
}
