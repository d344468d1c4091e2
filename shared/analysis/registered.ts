import { InvalidArgumentError } from "../base/index.ts";
import type { KnownInstance, KnownPort, KnownService } from "./world.ts";

/**
 * Instances as short lines, for examples: `<service>.<namespace> <port>/<protocol>,... [<label>=<value>,...] [gateway]
 * [unhealthy]`, one line an instance. Throws InvalidArgumentError.
 */
export function parseRegistered(lines: readonly string[]): readonly KnownService[] {
  const services = new Map<string, { ports: KnownPort[]; instances: KnownInstance[] }>();
  for (const line of lines) {
    const [host = "", portText = "", ...words] = line.split(" ");
    const ports = portText.split(",").map((text) => {
      const [number = "", protocol = ""] = text.split("/");
      if (!/^\d+$/.test(number) || protocol === "") throw new InvalidArgumentError(`${line}: no port in ${text}`);
      return { number: Number(number), protocol, name: "" };
    });
    const service = services.get(host) ?? { ports: [], instances: [] };
    services.set(host, service);
    for (const port of ports) if (!service.ports.some(({ number }) => number === port.number)) service.ports.push(port);
    const labels = words.filter((word) => word.includes("=")).flatMap((word) => word.split(","));
    service.instances.push({
      name: `${host}-${service.instances.length + 1}`,
      labels: Object.fromEntries(labels.map((label) => label.split("=") as [string, string])),
      healthy: !words.includes("unhealthy"),
      gateway: words.includes("gateway"),
      plaintext: false,
      ports,
    });
  }
  return [...services].map(([host, { ports, instances }]) => {
    const [name = "", namespace = ""] = host.split(".");
    return { namespace, name, ports, instances };
  });
}
