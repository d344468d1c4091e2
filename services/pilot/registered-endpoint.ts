import type { EndpointInput, Registration } from "../../shared/wire/index.ts";

/** A full shard of instances of this size still fits into one message. */
export const MAX_ENDPOINT_BYTES = 8 * 1024;

const PROTOCOL = /^[a-z][a-z0-9-]{0,15}$/;

/** Undefined when the registration cannot be one: nobody could connect to it. */
export function toEndpoint(instance: string, principal: string, registration: Registration): EndpointInput | undefined {
  const { workload, labels, address, ports, healthy, plaintext, locality, weight } = registration;
  if (instance === "" || (address === "" && ports.length > 0)) return undefined;
  const numbers = new Set<number>();
  for (const { number, protocol, addressPort } of ports) {
    if (protocol !== "" && !PROTOCOL.test(protocol)) return undefined;
    if (!isPort(number) || !isPort(addressPort) || numbers.has(number)) return undefined;
    numbers.add(number);
  }
  return {
    instance,
    workload,
    principal,
    address,
    ports: ports
      .map(({ number, protocol, addressPort }) => ({ number, protocol, addressPort }))
      .sort((a, b) => a.number - b.number),
    labels: Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    healthy,
    plaintext,
    locality,
    weight,
  };
}

function isPort(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 65_536;
}

/** Two endpoints of one fingerprint are written as the same bytes. */
export function fingerprintOf(endpoint: EndpointInput): string {
  const { workload, address, ports, labels, healthy, plaintext, locality, weight } = endpoint;
  const plainPorts = (ports ?? []).map(({ number, protocol, addressPort }) => [number, protocol, addressPort]);
  const plainLabels = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const place = [locality ?? "", weight || 1];
  return JSON.stringify([workload, address, plainPorts, plainLabels, healthy === true, plaintext === true, place]);
}
