import type { EndpointInput } from "../../shared/wire/index.ts";

export interface RegisteredPort {
  readonly number: number;
  readonly protocol: string;
}

/** Every port that some instance serves; where they disagree on a protocol, the one that most of them say. */
export function unionOfPorts(endpoints: Iterable<EndpointInput>): RegisteredPort[] {
  const votes = new Map<number, Map<string, number>>();
  for (const endpoint of endpoints) {
    for (const port of endpoint.ports ?? []) {
      const number = port.number ?? 0;
      const protocol = port.protocol || "http";
      const counts = votes.get(number) ?? new Map<string, number>();
      counts.set(protocol, (counts.get(protocol) ?? 0) + 1);
      votes.set(number, counts);
    }
  }
  const ports = [...votes].map(([number, counts]) => {
    const [first] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return { number, protocol: first?.[0] ?? "http" };
  });
  return ports.sort((a, b) => a.number - b.number);
}

export function samePorts(a: readonly RegisteredPort[], b: readonly RegisteredPort[]): boolean {
  return (
    a.length === b.length && a.every((port, i) => port.number === b[i]?.number && port.protocol === b[i]?.protocol)
  );
}
