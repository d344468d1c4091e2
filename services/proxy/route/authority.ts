/** Host and port of an authority; the port is undefined when it names none. */
export function splitAuthority(authority: string): { host: string; port: number | undefined } {
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(authority);
  return { host: match?.[1] ?? authority, port: match?.[2] === undefined ? undefined : Number(match[2]) };
}

/** A host as it is compared: in lower case, without the dot of the root. */
export function comparableHost(host: string): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.toLowerCase();
}
