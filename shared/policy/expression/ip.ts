import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 bytes in network order; undefined when the text is no address. IPv4 inside IPv6 becomes IPv4. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  let address = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = (dotted[2] ?? "").split(".").map(Number);
    address = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill("0"), ...right];
  const bytes = new Uint8Array(16);
  for (const [i, group] of groups.entries()) {
    const number = Number.parseInt(group, 16);
    bytes[2 * i] = number >> 8;
    bytes[2 * i + 1] = number & 0xff;
  }
  return shortIp(bytes);
}

/** The address as text, IPv6 with its longest run of zeros left out; empty when the bytes are no address. */
export function formatIp(bytes: Uint8Array): string {
  const address = shortIp(bytes);
  if (address.length === 4) return address.join(".");
  if (address.length !== 16) return "";
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((address[i] ?? 0) << 8) | (address[i + 1] ?? 0)).toString(16));
  const zeros = groups.join(":").match(/(?:^|(?<=:))0(?::0)+(?=:|$)/g);
  if (zeros === null) return groups.join(":");
  const longest = zeros.reduce((best, run) => (run.length > best.length ? run : best));
  const text = groups.join(":");
  const at = text.search(new RegExp(`(?:^|(?<=:))${longest}(?=:|$)`));
  const before = text.slice(0, at).replace(/:$/, "");
  const after = text.slice(at + longest.length).replace(/^:/, "");
  return `${before}::${after}`;
}

/** Whether both are the same address; IPv4 equals itself inside IPv6. */
export function isSameIp(a: Uint8Array, b: Uint8Array): boolean {
  const left = shortIp(a);
  const right = shortIp(b);
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** A range of addresses. */
export interface Cidr {
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

/** `10.0.0.0/8`, or one bare address; undefined when the text is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefixBits: address.length * 8 };
  const bits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > address.length * 8) return undefined;
  return { address, prefixBits: Number(bits) };
}

export function isInCidr(cidr: Cidr, ip: Uint8Array): boolean {
  const address = shortIp(ip);
  if (address.length !== cidr.address.length) return false;
  const wholeBytes = cidr.prefixBits >> 3;
  for (let i = 0; i < wholeBytes; i++) if (address[i] !== cidr.address[i]) return false;
  const rest = cidr.prefixBits & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((address[wholeBytes] ?? 0) & mask) === ((cidr.address[wholeBytes] ?? 0) & mask);
}

/** IPv4 in 16 bytes is cut to its 4. */
function shortIp(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes.subarray(12);
}
