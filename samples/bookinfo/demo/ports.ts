import { createServer, type Server } from "node:net";

/*
 * Ports for processes that start later, and start again. They lie below the range from which operating systems give
 * ports to outgoing connections (from 32768 on Linux, 49152 elsewhere): a port from that range, free when it was looked at,
 * may be one end of somebody's connection when the process wants to listen on it.
 */
const FIRST = 20_000;
const LAST = 32_000;
const MAX_ATTEMPTS = 1_000;

/** Ports on which nobody listens now. All are held open until the last is known, so none comes twice. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  for (let attempt = 0; held.size < count && attempt < MAX_ATTEMPTS; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    const server = held.has(port) ? undefined : await tryToListen(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  if (held.size < count) throw new Error(`no ${count} free ports from ${FIRST} to ${LAST}`);
  return [...held.keys()];
}

function tryToListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
