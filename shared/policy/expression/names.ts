import { domainToASCII } from "node:url";
import { EvaluationError } from "./types.ts";

/**
 * Names of the network: domain names, mail addresses, URIs. The converters check and give back what they got; equality
 * compares canonical forms, so that `dnsName("Example.com.")` equals `dnsName("example.com")`.
 */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\uffff-]+";
const LOCAL_PART = new RegExp(`^(?:${ATOM}(?:\\.${ATOM})*|"(?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*")$`);
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;

/** Checks a domain name, international ones included; one dot at the end is allowed. */
export function dnsName(text: string): string {
  const fault = dnsFault(text);
  if (fault !== undefined) throw new EvaluationError(`error converting '${text}' to dns name: '${fault}'`);
  return text;
}

/** Checks one mail address without a display name. */
export function email(text: string): string {
  const at = text.lastIndexOf("@");
  const fail = (why: string): EvaluationError => new EvaluationError(`error converting '${text}' to e-mail: '${why}'`);
  if (at < 0) throw fail("missing '@'");
  if (!LOCAL_PART.test(text.slice(0, at))) throw fail("invalid local part");
  const fault = dnsFault(text.slice(at + 1));
  if (fault !== undefined) throw fail(fault);
  return text;
}

/** Checks a URI or a reference relative to one. */
export function uri(text: string): string {
  const fault = uriFault(text);
  if (fault !== undefined) throw new EvaluationError(`error converting '${text}' to uri: '${fault}'`);
  return text;
}

/** Lower case ASCII without a dot at the end. */
export function canonicalDnsName(name: string): string {
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  return toAscii(bare) ?? bare.toLowerCase();
}

/** The local part as it is, the domain canonical. */
export function canonicalEmail(address: string): string {
  const at = address.lastIndexOf("@");
  return `${address.slice(0, at + 1)}${canonicalDnsName(address.slice(at + 1))}`;
}

/** The scheme in lower case and, for http and https, the host canonical. */
export function canonicalUri(text: string): string {
  const scheme = SCHEME.exec(text)?.[1];
  if (scheme === undefined) return text;
  const lower = scheme.toLowerCase();
  const rest = text.slice(scheme.length).replace(/#$/, "");
  const authority =
    lower === "http" || lower === "https" ? /^:\/\/([^/?#@]*@)?([^/?#:[\]]+)(?=[/?#:]|$)/.exec(rest) : null;
  if (authority === null) return `${lower}${rest}`;
  return `${lower}://${authority[1] ?? ""}${canonicalDnsName(authority[2] ?? "")}${rest.slice(authority[0].length)}`;
}

function dnsFault(text: string): string | undefined {
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  const ascii = toAscii(bare);
  if (ascii === undefined) return `idna: disallowed character in ${JSON.stringify(text)}`;
  if (ascii.length > 253) return `idna: invalid length of ${JSON.stringify(text)}`;
  const wrong = ascii.split(".").find((label) => !LABEL.test(label));
  return wrong === undefined ? undefined : `idna: invalid label ${JSON.stringify(wrong)}`;
}

/** Undefined when the name has no ASCII form. ASCII is only put in lower case: domainToASCII reads "1.2" as an address. */
function toAscii(name: string): string | undefined {
  if (isAscii(name)) return name.toLowerCase();
  const ascii = domainToASCII(name);
  return ascii === "" ? undefined : ascii;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function uriFault(text: string): string | undefined {
  if (text === "") return "empty string is not a valid URI";
  if (hasControlCharacter(text)) return "invalid control character in URL";
  const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text);
  if (badEscape !== null) return `invalid URL escape ${JSON.stringify(badEscape[0])}`;
  const scheme = SCHEME.exec(text);
  const rest = scheme === null ? text : text.slice(scheme[0].length);
  if (scheme === null && rest.startsWith(":")) return "missing protocol scheme";
  if (scheme === null && /^[^/?#]*:/.test(rest)) return "first path segment in URL cannot contain colon";
  if (!rest.startsWith("//")) return undefined;
  const authority = /^\/\/([^/?#]*)/.exec(rest)?.[1] ?? "";
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (/[\s<>"^`{|}\\]/.test(host)) return "invalid character in host name";
  if (host.startsWith("[")) return /^\[[^[\]]+\](:\d*)?$/.test(host) ? undefined : "invalid host";
  return /^[^:[\]]*(:\d*)?$/.test(host) ? undefined : `invalid port in host ${JSON.stringify(host)}`;
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}
