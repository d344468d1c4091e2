/** Host and port of an authority; the port is undefined when it names none. */
export function splitAuthority(authority: string): { host: string; port: number | undefined } {
  const colon = authority.lastIndexOf(":");
  const port = colon < 0 ? "" : authority.slice(colon + 1);
  // The last colon of an address in brackets is one of its own.
  if (!/^\d{1,5}$/.test(port)) return { host: authority, port: undefined };
  return { host: authority.slice(0, colon), port: Number(port) };
}

/** A host as it is compared: in lower case, without the dot of the root. */
export function comparableHost(host: string): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.toLowerCase();
}
