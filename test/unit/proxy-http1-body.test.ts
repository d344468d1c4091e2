import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ChunkedDecoder } from "../../services/proxy/codec/http1-chunked.ts";
import { Http1Error } from "../../services/proxy/codec/http1-head.ts";
import { MessageWriter } from "../../services/proxy/codec/http1-writer.ts";

/** The payload and the bytes after the body, when fed in pieces that end at the given offsets. */
function decode(text: string, ...cuts: number[]): { body: string; done: boolean; rest: string } {
  const decoder = new ChunkedDecoder();
  const whole = Buffer.from(text, "latin1");
  let body = "";
  let consumed = 0;
  let from = 0;
  for (const to of [...cuts, whole.length]) {
    const piece = whole.subarray(from, to);
    if (!decoder.done) consumed = from + decoder.read(piece, 0, (data) => (body += data.toString("latin1")));
    from = to;
  }
  return { body, done: decoder.done, rest: text.slice(consumed) };
}

describe("a chunked body", () => {
  const bodies: readonly (readonly [string, string, string])[] = [
    ["plain", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
    ["empty", "0\r\n\r\n", ""],
    ["with extensions", '3;a=b;c="d e"\r\nabc\r\n00;last\r\n\r\n', "abc"],
    ["with trailers", "A\r\n0123456789\r\n0\r\nX-Sum: 1\r\ny: \r\n\r\n", "0123456789"],
    ["with line ends inside", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"],
  ];
  for (const [what, text, body] of bodies) {
    test(`${what} is the same however it is cut`, () => {
      const next = "GET / HTTP/1.1\r\n";
      assert.deepEqual(decode(text + next), { body, done: true, rest: next });
      for (let first = 0; first <= text.length; first++) {
        for (let second = first; second <= text.length; second++) {
          assert.deepEqual(
            decode(text + next, first, second),
            { body, done: true, rest: next },
            `cut at ${first}, ${second}`,
          );
        }
      }
      assert.deepEqual(decode(text, ...Array.from(text, (_, i) => i)), { body, done: true, rest: "" });
    });
  }

  const refused: readonly (readonly [string, string])[] = [
    ["no size", "\r\nabc"],
    ["a signed size", "+3\r\nabc"],
    ["a size with 0x", "0x3\r\nabc"],
    ["a space before the size", " 3\r\nabc"],
    ["a space after the size", "3 \r\nabc"],
    ["a size that overflows", "1000000000000\r\n"],
    ["a bare LF after the size", "3\nabc\r\n0\r\n\r\n"],
    ["a bare CR after the size", "3\rabc"],
    ["a bare LF in an extension", "3;a\nabc"],
    ["a control character in an extension", "3;\x01\r\nabc"],
    ["an endless extension", `3;${"a".repeat(300)}`],
    ["a chunk longer than its size", "3\r\nabcd\r\n"],
    ["a bare LF after a chunk", "3\r\nabc\n0\r\n\r\n"],
    ["a bare LF in trailers", "0\r\na: b\n\r\n"],
    ["a bare CR in trailers", "0\r\na: b\rc\r\n\r\n"],
    ["endless trailers", `0\r\n${"a: b\r\n".repeat(2_000)}`],
  ];
  for (const [what, text] of refused) {
    test(`is refused for ${what}`, () => {
      assert.throws(() => decode(text), Http1Error);
      assert.throws(() => decode(text, ...Array.from(text, (_, i) => i)), Http1Error);
    });
  }
});

class RecordingSocket {
  readonly writes: string[] = [];
  full = false;
  #corked: string | undefined;

  get writableNeedDrain(): boolean {
    return this.full;
  }

  write(data: string | Buffer): boolean {
    const text = typeof data === "string" ? data : data.toString("latin1");
    if (this.#corked === undefined) this.writes.push(text);
    else this.#corked += text;
    return !this.full;
  }

  cork(): void {
    this.#corked = "";
  }

  uncork(): void {
    const text = this.#corked ?? "";
    this.#corked = undefined;
    this.write(text);
  }
}

function writer(): { socket: RecordingSocket; out: MessageWriter } {
  const socket = new RecordingSocket();
  return { socket, out: new MessageWriter(socket as unknown as Socket) };
}

describe("a written message", () => {
  const HEAD = "HTTP/1.1 200 OK\r\n\r\n";
  const big = Buffer.alloc(40_000, "x");

  test("leaves in one write with its whole body", () => {
    const { socket, out } = writer();
    out.head(HEAD, false, false);
    assert.deepEqual(socket.writes, []);
    out.data(Buffer.from("body"), true);
    assert.deepEqual(socket.writes, [`${HEAD}body`]);
    out.flush();
    assert.equal(socket.writes.length, 1);
  });

  test("leaves in one write with its only chunk and the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, true, false);
    out.data(Buffer.from("0123456789abcdef"), true);
    assert.deepEqual(socket.writes, [`${HEAD}10\r\n0123456789abcdef\r\n0\r\n\r\n`]);
  });

  test("is framed chunk by chunk, without a chunk of nothing but the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, true, false);
    out.flush();
    out.data(Buffer.from("abc"), false);
    out.data(Buffer.alloc(0), false);
    out.data(Buffer.from("d"), false);
    out.data(Buffer.alloc(0), true);
    assert.deepEqual(socket.writes, [HEAD, "3\r\nabc\r\n", "1\r\nd\r\n", "0\r\n\r\n"]);
  });

  test("with an empty chunked body is its head and the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, true, false);
    out.data(Buffer.alloc(0), true);
    assert.deepEqual(socket.writes, [`${HEAD}0\r\n\r\n`]);
  });

  test("does not copy a large body, and is still one write", () => {
    for (const chunked of [false, true]) {
      const { socket, out } = writer();
      out.head(HEAD, chunked, false);
      out.data(big, true);
      const body = big.toString("latin1");
      assert.deepEqual(socket.writes, [chunked ? `${HEAD}9c40\r\n${body}\r\n0\r\n\r\n` : HEAD + body]);
    }
  });

  test("without a body for its method is its head alone", () => {
    const { socket, out } = writer();
    out.head(HEAD, false, true);
    out.data(Buffer.from("not sent"), false);
    out.data(Buffer.from("either"), true);
    assert.deepEqual(socket.writes, [HEAD]);
  });

  test("says when the socket is full", () => {
    for (const chunk of [Buffer.from("abc"), big]) {
      for (const chunked of [false, true]) {
        const { socket, out } = writer();
        out.head(HEAD, chunked, false);
        assert.equal(out.data(chunk, false), true);
        socket.full = true;
        assert.equal(out.data(chunk, false), false);
      }
    }
  });
});
