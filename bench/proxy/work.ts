/** A header that is set on every request, or on every answer. */
export interface HeaderRule {
  readonly on: "request" | "answer";
  readonly name: string;
  readonly value: string;
}

/**
 * What a proxy does with each request, beside a request id, metrics and a log line in memory. Every contender's
 * configuration is made from it.
 */
export interface Work {
  /** The service of the mesh whose rules these are; also the host that is asked for. */
  readonly service: string;
  /** 1: one proxy before the backend. 2: two, with mutual TLS between them; the rules are the first one's. */
  readonly hops: 1 | 2;
  /** Whether a pattern on the cookie decides between two pools. */
  readonly decidesByCookie: boolean;
  readonly headers: readonly HeaderRule[];
  /** Routes by the beginning of the path, `/route/<number>/`, all to the same pool; 0: one route for everything. */
  readonly routes: number;
}

/** What the cookie of a request for the first pool looks like; nobody in the bench sends it, so that all of it is read. */
export const COOKIE_PATTERN = "^(.*?;)?(user=jason)(;.*)?$";

export const BENCH_PORT = 9080;

const PLAIN: Work = {
  service: "app",
  hops: 1,
  decidesByCookie: true,
  headers: [
    { on: "request", name: "x-forwarded-proto", value: "http" },
    { on: "answer", name: "x-served-by", value: "bench" },
  ],
  routes: 0,
};

export const WORK = {
  plain: PLAIN,
  mutualTls: { ...PLAIN, service: "secure", hops: 2 },
  headers: {
    ...PLAIN,
    service: "headers",
    decidesByCookie: false,
    headers: Array.from({ length: 10 }, (_, index) => ({
      on: "request",
      name: `x-bench-${index}`,
      value: `value ${index}`,
    })),
  },
  routes: { ...PLAIN, service: "routes", decidesByCookie: false, headers: [], routes: 1000 },
} as const satisfies Readonly<Record<string, Work>>;

export function hostOf({ service }: Work): string {
  return `${service}:${BENCH_PORT}`;
}

export function routePrefix(route: number): string {
  return `/route/${route}/`;
}
