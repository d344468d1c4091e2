import type { HeaderList } from "../stream/header-list.ts";
import type { RequestHead } from "../stream/stream.ts";

/** The path without its query. */
export function pathOf(head: RequestHead): string {
  const query = head.path.indexOf("?");
  return query < 0 ? head.path : head.path.slice(0, query);
}

/** From the question mark on; empty without a query. */
export function queryOf(head: RequestHead): string {
  const query = head.path.indexOf("?");
  return query < 0 ? "" : head.path.slice(query);
}

/** The first value of a query parameter as it stands in the URL, "" for one without `=`; undefined when absent. */
export function queryParameter(path: string, name: string): string | undefined {
  let start = path.indexOf("?") + 1;
  while (start > 0 && start <= path.length) {
    let end = path.indexOf("&", start);
    if (end < 0) end = path.length;
    if (path.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return "";
      if (path.charCodeAt(after) === 0x3d && after < end) return path.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** All values of a field as one (RFC 9110 5.3; cookies by RFC 6265 4.2.1). */
export function fieldValue(headers: HeaderList, key: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < headers.keys.length; i++) {
    if (headers.keys[i] !== key) continue;
    value = value === undefined ? headers.values[i] : `${value}${key === "cookie" ? "; " : ","}${headers.values[i]}`;
  }
  return value;
}

/** The value of one cookie, without the quotes that it may stand in. */
export function cookieValue(headers: HeaderList, name: string): string | undefined {
  for (const pair of fieldValue(headers, "cookie")?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    return pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}

/** Whether a message with this content type is gRPC's. */
export function isGrpcContentType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/i.test(contentType);
}
