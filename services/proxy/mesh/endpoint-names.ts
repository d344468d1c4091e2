import { isIP } from "node:net";
import type { Endpoint } from "../../../shared/wire/index.ts";
import type { DnsBook, FollowedName } from "./dns-book.ts";

/** As it is listed, or one of its addresses. */
export type Instance = Omit<Endpoint, "toJSON">;

/**
 * Endpoints without a sidecar may be known by a DNS name. Each address of the name is an instance of its own, balanced,
 * watched and ejected by itself (Envoy: strict DNS); of a name with one address it is the endpoint itself. Until the
 * name has been resolved, and where it cannot be, the endpoint stays one instance to which each connection finds the
 * way by itself. So does one whose name is to be taken for one host whatever it resolves to (Envoy: logical DNS): large
 * services answer everyone with a few others of their many addresses each time, and connections to those of
 * before are as good.
 */
export class EndpointNames {
  readonly #dns: DnsBook;
  readonly #onChange: () => void;
  #names = new Map<string, FollowedName>();

  /** `onChange`: they are to be resolved anew. */
  constructor(dns: DnsBook, onChange: () => void) {
    this.#dns = dns;
    this.#onChange = onChange;
  }

  /** Follows the names of these endpoints, and no others from now on. */
  resolve(endpoints: readonly Endpoint[]): readonly Instance[] {
    const before = this.#names;
    this.#names = new Map();
    const resolved = endpoints.flatMap((endpoint): Instance | Instance[] => {
      if (!isNamed(endpoint)) return endpoint;
      const name = this.#follow(endpoint.address, before);
      const addresses = name?.addresses;
      return addresses === undefined || addresses.length === 0 ? endpoint : instancesOf(endpoint, addresses);
    });
    for (const [text, name] of before) if (!this.#names.has(text)) name.close();
    return resolved;
  }

  close(): void {
    for (const name of this.#names.values()) name.close();
    this.#names.clear();
  }

  #follow(text: string, before: ReadonlyMap<string, FollowedName>): FollowedName | undefined {
    const name = this.#names.get(text) ?? before.get(text) ?? this.#dns.follow(text, this.#onChange);
    if (name !== undefined) this.#names.set(text, name);
    return name;
  }
}

function isNamed({ address, plaintext, logicalDns }: Endpoint): boolean {
  return plaintext && !logicalDns && isIP(address) === 0;
}

function instancesOf(endpoint: Endpoint, addresses: readonly string[]): Instance[] {
  const isOne = addresses.length === 1;
  return addresses.map((address) => ({
    ...endpoint,
    address,
    instance: isOne ? endpoint.instance : `${endpoint.instance}/${address}`,
  }));
}
