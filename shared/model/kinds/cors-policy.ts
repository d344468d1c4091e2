import { bool, enumeration, string } from "../scalars.ts";
import { checked, field, list, object, type Schema } from "../schema.ts";
import type { StringMatch } from "../specs.ts";
import type { HttpCorsSpec } from "../specs-networking.ts";
import { stringMatch } from "./http-match.ts";
import { corsMethod, span } from "./networking.ts";

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const headerName = checked(
  string(),
  (name, at) =>
    NAME.test(name) ? name : at.error(`${JSON.stringify(name)} is not a header name`, "use letters, digits and dashes"),
  { format: "header name" },
);

/** An origin that says nothing would allow nobody. */
const origin = checked(stringMatch(), (match, at): StringMatch | undefined =>
  "exact" in match && match.exact === "" ? at.errorOf("exact", "is empty", "give an origin, or * for any") : match,
);

/** Cross-origin requests that browsers may make. */
export const corsPolicy: Schema<HttpCorsSpec> = checked(
  object({
    allowOrigin: field(list(string()), "Origins that may read the answer.", { deprecated: "use allowOrigins" }),
    allowOrigins: field(list(origin), "Origins that may read the answer; exact * is any."),
    allowMethods: field(list(corsMethod()), "Methods that may be used."),
    allowHeaders: field(list(headerName), "Request headers that may be used."),
    exposeHeaders: field(list(headerName), "Answer headers that may be read."),
    maxAge: field(span({ stepMs: 1000 }), "How long a preflight answer may be kept, in whole seconds."),
    allowCredentials: field(bool(), "Whether cookies may be sent.", { default: "false" }),
    unmatchedPreflights: field(
      enumeration(["UNSPECIFIED", "FORWARD", "IGNORE"]),
      "What becomes of preflights from other origins: they go on to the service, or are answered without leave.",
      { default: "FORWARD" },
    ),
  }),
  (value): HttpCorsSpec => ({
    allowOrigins: [...(value.allowOrigins ?? []), ...(value.allowOrigin ?? []).map((exact) => ({ exact }))],
    allowMethods: value.allowMethods ?? [],
    allowHeaders: value.allowHeaders ?? [],
    exposeHeaders: value.exposeHeaders ?? [],
    maxAgeMs: value.maxAge,
    allowCredentials: value.allowCredentials,
    ignoreUnmatchedPreflights: value.unmatchedPreflights === "IGNORE",
  }),
);
