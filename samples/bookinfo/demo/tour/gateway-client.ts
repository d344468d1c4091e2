import { Agent, type ClientRequest, request as httpRequest, type RequestOptions } from "node:http";

export interface PageAnswer {
  readonly status: number;
  readonly body: string;
  readonly elapsedMs: number;
}

export interface CallOptions {
  /** Logs in as this user, by cookie. */
  readonly user?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ReviewsVersion = "v1" | "v2" | "v3" | "unavailable";

const CALL_TIMEOUT_MS = 20_000;

/** A visitor of the gateway, and, where a step looks from inside, an application behind one sidecar. */
export class GatewayClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #url: URL;

  constructor(gatewayUrl: string) {
    this.#url = new URL(gatewayUrl);
  }

  get(path: string, { user, headers }: CallOptions = {}): Promise<PageAnswer> {
    const cookie = user === undefined ? {} : { cookie: `user=${user}` };
    return this.#call({ host: this.#url.hostname, port: this.#url.port, path, headers: { ...headers, ...cookie } });
  }

  productPage(user?: string): Promise<PageAnswer> {
    return this.get("/productpage", user === undefined ? {} : { user });
  }

  /** Which version of reviews answered, by its stars. */
  async reviewsVersion(user?: string): Promise<ReviewsVersion> {
    const { status, body } = await this.get("/api/v1/products/0/reviews", user === undefined ? {} : { user });
    return status === 200 ? versionByStars(body) : "unavailable";
  }

  /** What an application behind a sidecar sends: absolute form, to the sidecar's outbound port. */
  through(outboundPort: number, url: string): Promise<PageAnswer> {
    return this.#call({ host: "127.0.0.1", port: outboundPort, path: url, headers: { host: new URL(url).host } });
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(options: RequestOptions): Promise<PageAnswer> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
      const request: ClientRequest = httpRequest({ ...options, agent: this.#agent, signal }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body, elapsedMs: performance.now() - started });
        });
      });
      request.on("error", reject);
      request.end();
    });
  }
}

/** Version 1 shows no stars, version 2 black ones, version 3 red ones; in JSON and in HTML. */
export function versionByStars(body: string): ReviewsVersion {
  if (/color="red"|"color": ?"red"/.test(body)) return "v3";
  if (/color="black"|"color": ?"black"/.test(body)) return "v2";
  return /ratings service is currently unavailable/i.test(body) ? "unavailable" : "v1";
}
