import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ChunkedDecoder } from "../../services/proxy/codec/http1-chunked.ts";
import { Http1Error } from "../../services/proxy/codec/http1-error.ts";
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
    if (!decoder.done) consumed = from + decoder.read(piece, 0);
    body += decoder.take().toString("latin1");
    from = to;
  }
  return { body, done: decoder.done, rest: text.slice(consumed) };
}

describe("a chunked body", () => {
  const bodies: readonly (readonly [string, string, string])[] = [
    ["plain", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
    ["empty", "0\r\n\r\n", ""],
    ["with blanks before an extension", "3 \t;a\r\nabc\r\n0\r\n\r\n", "abc"],
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
    ["a space within the size", "1 0;a\r\nabc"],
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
    ["extensions without end, each short", `1;${"a".repeat(200)}\r\nx\r\n`.repeat(100)],
    ["a trailer without a colon", "0\r\nabc\r\n\r\n"],
    ["a trailer with a space before its colon", "0\r\na : b\r\n\r\n"],
    ["a folded trailer", "0\r\na: b\r\n c\r\n\r\n"],
    ["a control character in trailers", "0\r\na: b\x01\r\n\r\n"],
    ["endless trailers", `0\r\n${"a: b\r\n".repeat(2_000)}`],
  ];
  for (const [what, text] of refused) {
    test(`is refused for ${what}`, () => {
      assert.throws(() => decode(text), Http1Error);
      assert.throws(() => decode(text, ...Array.from(text, (_, i) => i)), Http1Error);
    });
  }
});

const BUFFER_BYTES = 1_000_000;

class RecordingSocket {
  readonly writes: string[] = [];
  writableLength = 0;
  destroyed = false;
  #corked: string | undefined;

  get writableNeedDrain(): boolean {
    return this.writableLength > 0;
  }

  destroy(): void {
    this.destroyed = true;
  }

  write(data: string | Buffer): boolean {
    const text = typeof data === "string" ? data : data.toString("latin1");
    if (this.#corked === undefined) this.writes.push(text);
    else this.#corked += text;
    return !this.writableNeedDrain;
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
  return { socket, out: new MessageWriter(socket as unknown as Socket, BUFFER_BYTES) };
}

describe("a written message", () => {
  const HEAD = "HTTP/1.1 200 OK\r\n\r\n";
  const big = Buffer.alloc(40_000, "x");

  test("leaves in one write with its whole body", () => {
    const { socket, out } = writer();
    out.head(HEAD, "until-close");
    assert.deepEqual(socket.writes, []);
    out.data(Buffer.from("body"), true);
    assert.deepEqual(socket.writes, [`${HEAD}body`]);
    out.flush();
    assert.equal(socket.writes.length, 1);
  });

  test("leaves in one write with its only chunk and the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, "chunked");
    out.data(Buffer.from("0123456789abcdef"), true);
    assert.deepEqual(socket.writes, [`${HEAD}10\r\n0123456789abcdef\r\n0\r\n\r\n`]);
  });

  test("is framed chunk by chunk, without a chunk of nothing but the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, "chunked");
    out.flush();
    out.data(Buffer.from("abc"), false);
    out.data(Buffer.alloc(0), false);
    out.data(Buffer.from("d"), false);
    out.data(Buffer.alloc(0), true);
    assert.deepEqual(socket.writes, [HEAD, "3\r\nabc\r\n", "1\r\nd\r\n", "0\r\n\r\n"]);
  });

  test("with an empty chunked body is its head and the end", () => {
    const { socket, out } = writer();
    out.head(HEAD, "chunked");
    out.data(Buffer.alloc(0), true);
    assert.deepEqual(socket.writes, [`${HEAD}0\r\n\r\n`]);
  });

  test("does not copy a large body, and is still one write", () => {
    for (const chunked of [false, true]) {
      const { socket, out } = writer();
      out.head(HEAD, chunked ? "chunked" : "until-close");
      out.data(big, true);
      const body = big.toString("latin1");
      assert.deepEqual(socket.writes, [chunked ? `${HEAD}9c40\r\n${body}\r\n0\r\n\r\n` : HEAD + body]);
    }
  });

  test("without a body for its method is its head alone", () => {
    const { socket, out } = writer();
    out.head(HEAD, "none");
    out.data(Buffer.from("not sent"), false);
    out.data(Buffer.from("either"), true);
    assert.deepEqual(socket.writes, [HEAD]);
  });

  test("says when as much waits in the socket as may", () => {
    for (const chunk of [Buffer.from("abc"), big]) {
      for (const framing of ["chunked", "until-close"] as const) {
        const { socket, out } = writer();
        out.head(HEAD, framing);
        assert.equal(out.data(chunk, false), true);
        socket.writableLength = BUFFER_BYTES - 1;
        assert.equal(out.data(chunk, false), true);
        socket.writableLength = BUFFER_BYTES;
        assert.equal(out.data(chunk, false), false);
      }
    }
  });

  test("that is longer or shorter than its head says ends the connection", () => {
    for (const [body, end, destroyed] of [
      ["abc", true, false],
      ["abc", false, false],
      ["ab", false, false],
      ["ab", true, true],
      ["abcd", true, true],
      ["abcd", false, true],
      ["", true, true],
    ] as const) {
      const { socket, out } = writer();
      out.head(HEAD, 3);
      out.data(Buffer.from(body), end);
      assert.equal(socket.destroyed, destroyed, `${body} ${end}`);
    }
  });
});
