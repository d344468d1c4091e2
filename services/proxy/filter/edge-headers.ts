import type { RequestHead } from "../stream/stream.ts";
import type { Exchange } from "./exchange.ts";
import type { Filter } from "./filter.ts";

/**
 * What the mesh's own headers say of a request from outside is not believed: they are removed (`x-envoy-*`, the
 * certificate of a client, who forwarded it) and made anew from the connection. With proxies in front that are trusted,
 * so many of them as the setting says, what these have added stands: the scheme, and in `x-forwarded-for` the client.
 */
export class EdgeHeadersFilter implements Filter {
  readonly name = "edge-headers";
  readonly #trustedHops: number;

  /** `trustedHops`: proxies in front of this one. */
  constructor(trustedHops: number) {
    this.#trustedHops = trustedHops;
  }

  onRequest(exchange: Exchange): "continue" {
    const { head, edgeSource } = exchange;
    const { headers } = head;
    const { keys, values } = headers;
    const trusting = this.#trustedHops > 0;
    let forwardedFor = "";
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] ?? "";
      if (!key.startsWith("x-")) continue;
      if (key === "x-forwarded-for") {
        // Several lines are one list, in their order.
        forwardedFor = forwardedFor === "" ? (values[i] ?? "") : `${values[i]}, ${forwardedFor}`;
        headers.removeAt(i);
      } else if (isMeshHeader(key, trusting)) {
        headers.removeAt(i);
      }
    }
    if (trusting && forwardedFor !== "") {
      const client = trustedClient(forwardedFor, this.#trustedHops);
      if (client !== undefined) exchange.edgeSource = { ...edgeSource, ip: client };
      forwardedFor = `${forwardedFor}, ${edgeSource.ip}`;
    } else {
      forwardedFor = edgeSource.ip;
    }
    headers.add("x-forwarded-for", "x-forwarded-for", forwardedFor);
    setScheme(head);
    return "continue";
  }
}

function isMeshHeader(key: string, trusting: boolean): boolean {
  if (key.startsWith("x-envoy-") || key === "x-forwarded-client-cert") return true;
  return !trusting && key.startsWith("x-forwarded-");
}

/** The address that the outermost of the trusted proxies saw; undefined when the list is shorter than that. */
function trustedClient(forwardedFor: string, hops: number): string | undefined {
  return forwardedFor.split(",").at(-hops)?.trim() || undefined;
}

/** Says by which scheme the request came, unless a proxy before has said so. */
export function setScheme({ headers, scheme }: RequestHead): void {
  const given = headers.get("x-forwarded-proto");
  if (given !== "http" && given !== "https") headers.set("x-forwarded-proto", "x-forwarded-proto", scheme);
}
