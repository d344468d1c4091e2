import { get } from "node:http";
import { eventually } from "../../test/harness/index.ts";

const DEADLINE_MS = 20_000;
const ASK_AGAIN_MS = 50;

/** Waits until a request through the proxy at `port` is answered 200. */
export async function untilServing(port: number, host: string, name: string): Promise<void> {
  await eventually(
    async () => {
      const status = await statusOf(port, host);
      if (status !== 200) throw new Error(`${name} does not serve ${host}: ${status ?? "no answer"}`);
    },
    { withinMs: DEADLINE_MS, everyMs: ASK_AGAIN_MS },
  );
}

/** Asks as the application would; `fetch` sends no Host of one's own. */
function statusOf(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/", headers: { host }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", () => resolve(undefined));
  });
}
