import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { accessLogFile } from "../topology.ts";
import { expect, type TourStep, until } from "./step.ts";

/** Step 12: who may speak to a sidecar, and by which name it knows the other side. */

const REFUSAL_WITHIN_MS = 5_000;

/** Sends a plain HTTP request; resolves to what came back before the connection ended. */
function speakPlainly(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("GET /ratings/0 HTTP/1.1\r\nHost: ratings:9080\r\nConnection: close\r\n\r\n");
    });
    const done = () => resolve(Buffer.concat(chunks).toString("latin1"));
    socket.setTimeout(REFUSAL_WITHIN_MS, () => {
      socket.destroy();
      reject(new Error("the inbound port neither answered nor closed"));
    });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", done);
    socket.on("close", done);
  });
}

const PEER = "spiffe://cluster.local/ns/default/sa/bookinfo-productpage";

/** What this step reads of an access log line. */
interface AccessLogLine {
  readonly direction: string;
  readonly path: string;
  readonly downstream_peer_uri_san: string;
}

const mutualTls: TourStep = {
  title: "plaintext is refused; the access log names the peer",
  async run({ gateway, topology, logDir }) {
    const answer = await speakPlainly(topology.sidecarPorts.get("ratings-v1")?.inbound ?? 0);
    expect(
      !answer.includes("Reviewer1") && !answer.includes("200 OK"),
      `ratings answered in plain text: ${answer.slice(0, 80)}`,
    );

    // A number that only this request has.
    const path = `/ratings/${process.pid}`;
    const { status } = await gateway.get(`/api/v1/products/${process.pid}/ratings`);
    expect(status === 200, `ratings answered ${status}`);
    const entry = await until(`ratings' access log has ${path}`, async () => {
      const lines = (await readFile(accessLogFile(logDir, "ratings-v1"), "utf8")).split("\n");
      return lines
        .filter((line) => line.includes(`"${path}"`))
        .map((line) => JSON.parse(line) as AccessLogLine)
        .find(({ direction }) => direction === "inbound");
    });
    const peer = entry.downstream_peer_uri_san;
    expect(peer === PEER, `the access log names ${peer} instead of ${PEER}`);
    return `a plain request got ${answer === "" ? "no byte" : JSON.stringify(answer.split("\r\n")[0])}; ${path} came from ${peer}`;
  },
};

export const SECURITY_STEPS: readonly TourStep[] = [mutualTls];
