import { HeaderList } from "./header-list.ts";
import type { ResponseHead } from "./stream.ts";

/** The head of a plain-text answer that the proxy makes itself. */
export function plainHead(status: number, contentLength: number): ResponseHead {
  const headers = new HeaderList();
  if (contentLength > 0) headers.add("content-type", "content-type", "text/plain");
  headers.add("content-length", "content-length", String(contentLength));
  return { status, headers };
}
