export const APP_NAMES = ["productpage", "details", "reviews", "ratings"] as const;
export type AppName = (typeof APP_NAMES)[number];

/** Bookinfo's settings. It knows nothing of the mesh but, perhaps, the address of an HTTP proxy. */
export interface BookinfoConfig {
  /** Where to listen; loopback by default, as only the sidecar should call. */
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  /** SERVICE_VERSION, "v1" by default. */
  readonly version: string;
  readonly ratingsEnabled: boolean;
  readonly starColor: string;
  readonly proxy: URL | undefined;
  /** host:port of each service. */
  readonly services: Readonly<Record<"details" | "reviews" | "ratings", string>>;
}

const SERVICE = /^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/;

/** Throws an Error that lists every fault. */
export function parseBookinfoConfig(env: Readonly<Record<string, string | undefined>>): BookinfoConfig {
  const faults: string[] = [];
  const text = (name: string, fallback: string) => {
    const value = env[name];
    return value === undefined || value === "" ? fallback : value;
  };
  const service = (name: string, fallback: string) => {
    const value = text(name, fallback);
    if (!SERVICE.test(value)) faults.push(`${name}: ${JSON.stringify(value)} is not host:port`);
    return value;
  };
  const port = Number(text("PORT", "9080"));
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    faults.push(`PORT: ${JSON.stringify(env["PORT"])} is not a port`);
  const starColor = text("STAR_COLOR", "black");
  if (!/^[A-Za-z]+$/.test(starColor)) faults.push(`STAR_COLOR: ${JSON.stringify(starColor)} is not a colour name`);
  const proxyText = text("HTTP_PROXY", "");
  const proxy = proxyText === "" ? undefined : parseProxy(proxyText);
  if (proxyText !== "" && proxy === undefined)
    faults.push(`HTTP_PROXY: ${JSON.stringify(proxyText)} is not http://host:port`);
  const services = {
    details: service("DETAILS", "details:9080"),
    reviews: service("REVIEWS", "reviews:9080"),
    ratings: service("RATINGS", "ratings:9080"),
  };
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return Object.freeze({
    host: text("HOST", "127.0.0.1"),
    port,
    version: text("SERVICE_VERSION", "v1"),
    ratingsEnabled: text("ENABLE_RATINGS", "false").toLowerCase() === "true",
    starColor,
    proxy,
    services,
  });
}

function parseProxy(value: string): URL | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === "http:" ? url : undefined;
}
