import { request } from "node:http";
import type { Received, Reply } from "./application.ts";
import { Application } from "./application.ts";
import { type CliOutcome, type CliRun, runLateen } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { SmallMesh, type SmallMeshOptions } from "./small-mesh.ts";

/** A small mesh in which `caller` calls `reviews`, as the command line sees it. */
export class LiveMesh {
  readonly mesh: SmallMesh;
  readonly #application: Application;
  #outbound = 0;
  #calling: NodeJS.Timeout | undefined;

  private constructor(mesh: SmallMesh, application: Application) {
    this.mesh = mesh;
    this.#application = application;
  }

  /** `env`: settings of the sidecar of reviews. */
  static async start(env: Readonly<Record<string, string>> = {}, options: SmallMeshOptions = {}): Promise<LiveMesh> {
    const application = await new Application(answer).listen();
    const live = new LiveMesh(await SmallMesh.start(["caller", "reviews"], options), application);
    await live.mesh.sidecar("reviews", { MESH_PORTS: `9080:http=127.0.0.1:${application.port}`, ...env });
    live.#outbound = (await live.mesh.sidecar("caller"))["outbound"] ?? 0;
    await eventually(async () => {
      if ((await live.call("/")) !== 200) throw new Error("not served yet");
    });
    return live;
  }

  /** Resolves to the status. */
  call(path: string, method = "GET"): Promise<number> {
    return new Promise((resolve, reject) => {
      const call = request({
        host: "127.0.0.1",
        port: this.#outbound,
        path,
        method,
        headers: { host: "reviews:9080" },
        agent: false,
      });
      call.on("error", reject);
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      });
      call.end();
    });
  }

  /** Requests to each of the paths, ten times a second, until the mesh stops. */
  callAgainAndAgain(paths: readonly string[]): void {
    clearInterval(this.#calling);
    this.#calling = setInterval(() => {
      for (const path of paths) this.call(path).catch(() => undefined);
    }, 100);
  }

  lateen(args: readonly string[], run: CliRun = {}): Promise<CliOutcome> {
    const { nats } = this.mesh;
    const env = { NATS_URL: nats.url, NATS_USER: "operator", NATS_PASSWORD: nats.password("operator") };
    return runLateen(args, { ...run, env: { ...env, ...run.env } });
  }

  async stop(): Promise<void> {
    clearInterval(this.#calling);
    await this.mesh.stop();
    await this.#application.close();
  }
}

/** `/fail...` fails. */
function answer({ url }: Received): Reply {
  return { status: url.startsWith("/fail") ? 503 : 200, body: "ok" };
}
