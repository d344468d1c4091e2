import { cookieValue, forwardedHeaders } from "./headers.ts";
import { type Details, type Fetched, type Reviews, renderIndexPage, renderProductPage } from "./page.ts";
import { type Answer, type AppRequest, jsonAnswer, type Route } from "./server.ts";
import type { CallService } from "./service-client.ts";

/**
 * The page that a user sees, put together from the other services' answers. Each is asked for at most three seconds;
 * reviews are asked twice, which is more than the page should wait and is kept: the fault injection task shows it.
 */
export interface ProductPageOptions {
  /** host:port of each service. */
  readonly services: Readonly<Record<Part, string>>;
  readonly call: CallService;
  log(text: string): void;
}

type Part = "details" | "reviews" | "ratings";

const TRY_TIMEOUT_MS = 3_000;
const TRIES: Readonly<Record<Part, number>> = { details: 1, reviews: 2, ratings: 1 };
const MAX_USER_CHARACTERS = 128;

export const PRODUCTS = [
  {
    id: 0,
    title: "The Comedy of Errors",
    descriptionHtml:
      '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia Summary</a>: The Comedy of Errors is one of ' +
      "<b>William Shakespeare's</b> early plays. It is his shortest and one of his most farcical comedies, with a major part " +
      "of the humour coming from slapstick and mistaken identity, in addition to puns and word play.",
  },
] as const;

export function productPageRoutes(options: ProductPageOptions): Route[] {
  const fetchPart = <T>(part: Part, request: AppRequest, id: string) =>
    fetchJson<T>(options, part, id, forwardedHeaders(request.headers));
  const proxied = (part: Part) => async (request: AppRequest) => {
    const { status, value } = await fetchPart<unknown>(part, request, request.parameters[0] ?? "");
    return jsonAnswer(status, value);
  };
  return [
    { method: "GET", pattern: /^\/(?:index\.html)?$/, handle: () => htmlAnswer(renderIndexPage(PRODUCTS[0])) },
    {
      method: "GET",
      pattern: /^\/health$/,
      handle: () => ({ status: 200, headers: { "content-type": "text/plain" }, body: "Product page is healthy" }),
    },
    { method: "POST", pattern: /^\/login$/, handle: login },
    {
      method: "GET",
      pattern: /^\/logout$/,
      handle: ({ headers }) => redirectBack(headers.referer, "user=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
    },
    {
      method: "GET",
      pattern: /^\/productpage$/,
      async handle(request) {
        const product = PRODUCTS[0];
        const id = String(product.id);
        const details = await fetchPart<Details>("details", request, id);
        const reviews = await fetchPart<Reviews>("reviews", request, id);
        return htmlAnswer(renderProductPage({ product, user: userName(request), details, reviews }));
      },
    },
    { method: "GET", pattern: /^\/api\/v1\/products$/, handle: () => jsonAnswer(200, PRODUCTS) },
    { method: "GET", pattern: /^\/api\/v1\/products\/([^/]+)$/, handle: proxied("details") },
    { method: "GET", pattern: /^\/api\/v1\/products\/([^/]+)\/reviews$/, handle: proxied("reviews") },
    { method: "GET", pattern: /^\/api\/v1\/products\/([^/]+)\/ratings$/, handle: proxied("ratings") },
  ];
}

function htmlAnswer(body: string): Answer {
  return { status: 200, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

/** Any name will do: there is no password, and the name only steers routing rules. */
function login({ headers, body }: AppRequest): Answer {
  const user = [...(new URLSearchParams(body).get("username") ?? "")].slice(0, MAX_USER_CHARACTERS).join("");
  return redirectBack(headers.referer, user === "" ? undefined : `user=${encodeURIComponent(user)}; Path=/`);
}

function redirectBack(referrer: string | undefined, cookie: string | undefined): Answer {
  const headers: Record<string, string> = { location: referrer ?? "/productpage" };
  if (cookie !== undefined) headers["set-cookie"] = cookie;
  return { status: 302, headers, body: "" };
}

function userName({ headers }: AppRequest): string {
  const value = cookieValue(headers, "user") ?? "";
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

async function fetchJson<T>(
  { services, call, log }: ProductPageOptions,
  part: Part,
  id: string,
  headers: Record<string, string>,
): Promise<Fetched<T>> {
  let status = 500;
  for (let left = TRIES[part]; left > 0; left--) {
    try {
      const answer = await call(services[part], `/${part}/${encodeURIComponent(id)}`, headers, TRY_TIMEOUT_MS);
      if (answer.status === 200) return { status: 200, value: JSON.parse(answer.body) as T };
      status = answer.status;
      log(`${part} answered ${status}`);
    } catch (error) {
      status = 500;
      log(`${part} did not answer: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { status, value: { error: `Sorry, product ${part} are currently unavailable for this book.` } };
}
