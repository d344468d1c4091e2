import type { Random } from "./random.ts";

/** What has smuggled requests past proxies before, or looks as if it could. */
const MORSELS = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x7f",
  "\xff",
  ":",
  ",",
  ";",
  "/",
  "#",
  "*",
  "+",
  "-",
  "0",
  "5",
  "0x",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "content-length:5, 5\r\n",
  "Content-Length : 5\r\n",
  "Content-Length: 05\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding:\tchunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "chunked",
  "gzip, ",
  "HTTP/1.0",
  "HTTP/1.1",
  "HTTP/2.0",
  "Connection: close\r\n",
  "Connection: content-length, host\r\n",
  "Host: evil\r\n",
  "Upgrade: websocket\r\nConnection: upgrade\r\n",
  "Expect: 100-continue\r\n",
  " folded: 1\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  ";ext=1",
  "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "ffffffffffffffff",
  "999999999999999999999",
  "CONNECT a:80",
  "http://evil",
] as const;

/** The text with one to three small changes. */
export function mutate(text: string, random: Random): string {
  let mutated = text;
  for (let left = 1 + random.below(3); left > 0; left--) mutated = change(mutated, random);
  return mutated;
}

function change(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const length = 1 + random.below(random.next() < 0.7 ? 3 : 20);
  const [before, here, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
  switch (random.below(7)) {
    case 0:
      return before + after;
    case 1:
      return before + here + here + after;
    case 2:
      return before + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 3:
      return before + random.pick(MORSELS) + text.slice(at);
    case 4:
      return before + random.pick(MORSELS) + after;
    case 5:
      return atLineStart(text, at, random.pick(MORSELS));
    default:
      return before + after + here;
  }
}

function atLineStart(text: string, near: number, morsel: string): string {
  const lineStart = text.lastIndexOf("\n", near - 1) + 1;
  return text.slice(0, lineStart) + morsel + text.slice(lineStart);
}
