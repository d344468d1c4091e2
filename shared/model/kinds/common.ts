import { isDnsLabel, isFqdn, isIpv4, isIpv4Cidr, isWildcardDomain, resolveHost } from "../hosts.ts";
import { type At, below, type Reader } from "../reader.ts";
import { checkRegex } from "../regex.ts";
import type { JsonValue } from "../resource.ts";
import { dnsLabel, string } from "../scalars.ts";
import { checked, field, list, map, object, type Schema } from "../schema.ts";
import type { HeaderMatchSpec, L4MatchSpec, Labels, MatchSpec, ServiceRef, StringMatch } from "../specs.ts";

/** The parts that several kinds share: service references, string matches, match conditions. */

/** Of fields whose effect is on its way. */
export const LATER = "remove the field; a later release brings its effect";
/** Of settings that only make sense elsewhere. */
export const FOREIGN = "only the proxy that it was written for could read it";

const LABEL_TEXT = /^[-A-Za-z0-9_./]*$/;
const LABEL_REMEDY = "use letters, digits and - _ . / only";

/** Instance labels. */
export function labels(): Schema<Labels> {
  const value = checked(string(), (text, at) =>
    LABEL_TEXT.test(text) ? text : at.error(`${JSON.stringify(text)} is not a label value`, LABEL_REMEDY),
  );
  return map(
    value,
    (name, at) => LABEL_TEXT.test(name) || at.error(`${JSON.stringify(name)} is not a label name`, LABEL_REMEDY),
  );
}

const serviceFields = {
  name: field(dnsLabel(), "Short name of the service."),
  namespace: field(dnsLabel(), "Its namespace.", { default: "the one of the resource" }),
  domain: field(
    checked(string(), (text, at) =>
      isFqdn(text) ? text : at.error(`${JSON.stringify(text)} is not a domain name`, "such as svc.cluster.local"),
    ),
    "Domain suffix.",
    { default: "svc.cluster.local" },
  ),
  service: field(
    checked(string(), externalHost),
    "Fully qualified host name, external domain or CIDR; instead of name, namespace and domain.",
  ),
};

interface ServiceValues {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly domain?: string | undefined;
  readonly service?: string | undefined;
  readonly labels?: Labels | undefined;
}

function serviceRef(value: ServiceValues, at: At): ServiceRef | undefined {
  if (!at.has("name") && !at.has("service")) {
    return at.error("names no service", "give name (with namespace when it is another one), or service");
  }
  if (at.has("service")) {
    for (const name of ["name", "namespace", "domain"]) {
      if (at.has(name))
        at.errorOf(name, "cannot be combined with service", "keep either service or name, namespace and domain");
    }
  }
  const namespace = value.namespace ?? at.context.namespace;
  const host = value.service ?? `${value.name ?? ""}.${namespace}.${value.domain ?? "svc.cluster.local"}`;
  return { host, service: resolveHost(host, at.context.namespace), labels: value.labels ?? {} };
}

/** A reference to a service, or to certain instances of it. */
export function istioService(): Schema<ServiceRef> {
  const fields = object({
    ...serviceFields,
    labels: field(labels(), "Selects instances that carry all of these labels."),
  });
  return checked(fields, serviceRef);
}

/** A reference that means the whole service. */
export function wholeService(): Schema<ServiceRef> {
  return checked(object(serviceFields, [], { labels: "name versions in route[].labels" }), serviceRef);
}

const OUTSIDE = "give service: a domain, or *. and a domain";

/** A reference to a host outside of the mesh. */
export function outsideService(): Schema<ServiceRef> {
  const fields = object(
    { service: field(checked(string(), externalHost), "The host: a domain, *. and a domain, or a CIDR.") },
    [],
    {
      name: OUTSIDE,
      namespace: OUTSIDE,
      domain: OUTSIDE,
      labels: "remove it: a host outside has no instances",
    },
  );
  return checked(fields, serviceRef);
}

function externalHost(text: string, at: At): string | undefined {
  if (text.split("/").length === 2) {
    return isIpv4Cidr(text) ? text : at.error(`${JSON.stringify(text)} is not an IPv4 CIDR`, "such as 10.0.0.0/8");
  }
  if (isWildcardDomain(text)) return text;
  return at.error(
    `${JSON.stringify(text)} is not a host name`,
    "give a fully qualified name, or one that starts with * such as *.example.com",
  );
}

/** exact, prefix or regex; bare text is exact. */
export function stringMatch(): Schema<StringMatch> {
  const variants = object(
    {
      exact: field(string(), "The whole value."),
      prefix: field(string(), "How the value starts."),
      regex: field(regex(), "RE2 pattern that the whole value must match."),
    },
    [["exact", "prefix", "regex"]],
  );
  const chosen = checked(variants, ({ exact, prefix, regex: pattern }, at): StringMatch | undefined => {
    if (exact !== undefined) return { exact };
    if (prefix !== undefined) return { prefix };
    if (pattern !== undefined) return { regex: pattern };
    if (!at.clean()) return undefined;
    return at.error("says nothing to compare with", "give one of exact, prefix, regex");
  });
  return {
    type: { ...variants.type, bareText: true },
    read(value: JsonValue, path: string, reader: Reader) {
      return typeof value === "string" ? { json: value, value: { exact: value } } : chosen.read(value, path, reader);
    },
  };
}

/** A pattern that compiles. */
export function regex(): Schema<string> {
  return checked(string(), (pattern, at) => {
    const fault = at.reader.full ? undefined : checkRegex(pattern);
    return fault === undefined ? pattern : at.error(fault.reason, fault.remedy, fault.position);
  });
}

/** Whether a match compares with nothing. */
export function isEmptyMatch(match: StringMatch): boolean {
  return ("exact" in match ? match.exact : "prefix" in match ? match.prefix : match.regex) === "";
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Judges a header's name: a token in lower case. */
export function checkHeaderName(name: string, at: At): void {
  if (name === "") at.error("a header needs a name", "give the header's name in lower case");
  else if (!HEADER_NAME.test(name))
    at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes");
  else if (name !== name.toLowerCase())
    at.error(`${JSON.stringify(name)} is not in lower case`, `write ${name.toLowerCase()}`);
}

/** A header's name as a value, "" meaning none. */
export function optionalHeaderName(): Schema<string> {
  return checked(string(), (name, at) => {
    if (name !== "" && !HEADER_NAME.test(name))
      at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes");
    return name.toLowerCase();
  });
}

const subnet = checked(string(), (text, at) =>
  isIpv4(text) || isIpv4Cidr(text)
    ? text
    : at.error(`${JSON.stringify(text)} is not an IPv4 address or subnet`, "such as 10.1.2.3 or 10.1.0.0/16"),
);

function l4Match(): Schema<L4MatchSpec> {
  const fields = object({
    sourceSubnet: field(list(subnet), "IPv4 addresses or subnets of callers."),
    destinationSubnet: field(list(subnet), "IPv4 addresses or subnets called."),
  });
  return checked(fields, ({ sourceSubnet, destinationSubnet }) => ({
    sourceSubnets: sourceSubnet ?? [],
    destinationSubnets: destinationSubnet ?? [],
  }));
}

const requestMatch = object({
  headers: field(
    checked(map(stringMatch(), checkHeaderName), (headers, at): readonly HeaderMatchSpec[] => {
      const uri = headers["uri"];
      if (uri !== undefined && isEmptyMatch(uri)) {
        at.reader.error(
          below(at.path, "uri"),
          "",
          "an empty uri matches no request",
          "give a path, or leave uri out to match all",
        );
      }
      return Object.entries(headers)
        .map(([name, match]) => ({ name, match }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    }),
    "By header name in lower case; uri, scheme, method and authority are those parts of the request. All must hold.",
  ),
});

/** Which requests a rule is about. */
export function matchCondition(): Schema<MatchSpec> {
  const fields = object({
    source: field(istioService(), "Only callers that are instances of this service, with these labels."),
    tcp: field(l4Match(), "Layer 4 conditions.", { unsupported: { remedy: LATER } }),
    udp: field(l4Match(), "Conditions on UDP.", {
      unsupported: { remedy: "remove the field: UDP does not pass through the mesh" },
    }),
    request: field(requestMatch, "Conditions on the HTTP request."),
  });
  return checked(fields, ({ source, tcp, request }) => ({ source, tcp, headers: request?.headers ?? [] }));
}

/** A host with an optional port. */
export function authority(): Schema<string> {
  return checked(string(), (text, at) => {
    const host = text.replace(/:\d{1,5}$/, "");
    if (text === "" || (host.length <= 255 && host.split(".").every((part) => isDnsLabel(part.toLowerCase()))))
      return text;
    return at.error(`${JSON.stringify(text)} is not a host`, "give a host name, with :port when it needs one");
  });
}

/** An absolute path. */
export function path(): Schema<string> {
  return checked(string(), (text, at) => {
    // Visible ASCII only: it must be able to stand in a request line.
    if (text === "" || /^\/[\x21-\x7e]*$/.test(text)) return text;
    return at.error(
      `${JSON.stringify(text)} is not a path`,
      "start it with / and escape spaces and other characters as %XX",
    );
  });
}
