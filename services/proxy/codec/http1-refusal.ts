import { httpDate } from "./http1-date.ts";
import type { Http1Error } from "./http1-error.ts";
import { statusLine } from "./http1-status.ts";

/** Fields that some statuses must have (RFC 9110 15.5.6, 15.5.22). */
const FIELDS: Readonly<Record<number, string>> = {
  405: "allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\nconnection: close\r\n",
  426: "upgrade: HTTP/1.1\r\nconnection: upgrade, close\r\n",
};

/** The whole answer to a request that cannot be read; the connection closes behind it. */
export function refusal(error: Http1Error): string {
  const body = `${error.message}\n`;
  return (
    statusLine(error.status) +
    `content-type: text/plain\r\ncontent-length: ${body.length}\r\ndate: ${httpDate()}\r\n` +
    (FIELDS[error.status] ?? "connection: close\r\n") +
    `\r\n${error.bodiless ? "" : body}`
  );
}
