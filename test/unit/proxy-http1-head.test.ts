import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Http1Error } from "../../services/proxy/codec/http1-error.ts";
import { encodeFields, FieldParser, hasToken, removeHopByHop } from "../../services/proxy/codec/http1-fields.ts";
import { parseRequestHead, parseResponseHead } from "../../services/proxy/codec/http1-head.ts";
import { DEFAULT_LIMITS } from "../../services/proxy/codec/http1-settings.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";

const text = (lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join("");
const request = (...lines: string[]) => parseRequestHead(text(lines), DEFAULT_LIMITS, new FieldParser());
const response = (method: string, ...lines: string[]) =>
  parseResponseHead(text(lines), method, DEFAULT_LIMITS, new FieldParser());

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    return `${error.status} ${error.detail}`;
  }
  return "accepted";
}

function headers(fields: readonly (readonly [string, string])[]): HeaderList {
  const list = new HeaderList();
  for (const [name, value] of fields) list.add(name, name.toLowerCase(), value);
  return list;
}

describe("a request head", () => {
  test("is read with the case and the order of its fields", () => {
    const head = request(
      "POST /a?b=c HTTP/1.1",
      "Host: reviews:9080",
      "X-Two:\t 2 \t",
      "x-one:1",
      "X-Empty:",
      "Content-Length: 12",
    );
    assert.equal(head.method, "POST");
    assert.equal(head.target, "/a?b=c");
    assert.equal(head.minorVersion, 1);
    assert.equal(head.framing, 12);
    assert.equal(head.keepAlive, true);
    assert.equal(
      encodeFields(head.headers),
      "Host: reviews:9080\r\nX-Two: 2\r\nx-one: 1\r\nX-Empty: \r\nContent-Length: 12\r\n",
    );
    assert.equal(head.headers.get("x-two"), "2");
  });

  test("without fields, with bytes above ASCII in values, and with any token as method is good", () => {
    assert.equal(request("M-SEARCH * HTTP/1.1").framing, 0);
    assert.equal(request("GET / HTTP/1.1", "x: \xfc").headers.get("x"), "\xfc");
    assert.equal(request("GET / HTTP/1.0").minorVersion, 0);
  });

  const accepted: readonly (readonly [string, readonly string[], number | "chunked"])[] = [
    ["chunked in any case", ["Transfer-Encoding: Chunked"], "chunked"],
    ["a length of zero", ["Content-Length: 0"], 0],
    ["a length of fifteen digits", ["Content-Length: 999999999999999"], 999_999_999_999_999],
  ];
  for (const [what, lines, framing] of accepted) {
    test(`may have ${what}`, () => assert.equal(request("POST / HTTP/1.1", ...lines).framing, framing));
  }

  test("with equal copies of its length has one", () => {
    for (const lines of [
      ["Content-Length: 7", "content-length: 7"],
      ["Content-Length: 7, 7"],
      ["Content-Length: 007"],
    ]) {
      const head = request("POST / HTTP/1.1", ...lines);
      assert.equal(head.framing, 7);
      assert.equal(encodeFields(head.headers), "Content-Length: 7\r\n");
    }
  });

  const CODING = "400 http1.invalid_transfer_encoding";
  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ["a bare CR in a value", ["GET / HTTP/1.1", "a: b\rc: d"], "400 http1.invalid_header_value"],
    ["a bare LF in a value", ["GET / HTTP/1.1", "a: b\nc: d"], "400 http1.invalid_header_value"],
    ["a NUL in a value", ["GET / HTTP/1.1", "a: b\0"], "400 http1.invalid_header_value"],
    ["a folded line", ["GET / HTTP/1.1", "a: b", " c: d"], "400 http1.invalid_header_name"],
    ["a folded line without a colon", ["GET / HTTP/1.1", "a: b", "\tc"], "400 http1.invalid_header"],
    ["a space before the colon", ["GET / HTTP/1.1", "a : b"], "400 http1.invalid_header_name"],
    ["a space before the first name", ["GET / HTTP/1.1", " a: b"], "400 http1.invalid_header_name"],
    ["an empty name", ["GET / HTTP/1.1", ": b"], "400 http1.invalid_header_name"],
    ["a line without a colon", ["GET / HTTP/1.1", "abc"], "400 http1.invalid_header"],
    ["a name that is no token", ["GET / HTTP/1.1", "a(b): c"], "400 http1.invalid_header_name"],
    ["a method that is no token", ["G(T / HTTP/1.1"], "400 http1.invalid_method"],
    ["no method", [" / HTTP/1.1"], "400 http1.invalid_request_line"],
    ["no version (HTTP/0.9)", ["GET /"], "400 http1.invalid_request_line"],
    ["two spaces in the request line", ["GET  / HTTP/1.1"], "400 http1.invalid_url"],
    ["a space at the end of the request line", ["GET / HTTP/1.1 "], "400 http1.invalid_request_line"],
    ["a control character in the target", ["GET /\x01 HTTP/1.1"], "400 http1.invalid_url"],
    ["a bare LF in the request line", ["GET /\nx HTTP/1.1"], "400 http1.invalid_url"],
    ["a fragment in the target", ["GET /a#b HTTP/1.1"], "400 http1.invalid_url"],
    ["a version in lower case", ["GET / http/1.1"], "400 http1.invalid_request_line"],
    ["version 1.10", ["GET / HTTP/1.10"], "400 http1.invalid_request_line"],
    ["version 2.0", ["PRI * HTTP/2.0"], "505 http1.unsupported_version"],
    ["two lengths", ["POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"], "400 http1.invalid_content_length"],
    ["a list of lengths that differ", ["POST / HTTP/1.1", "Content-Length: 1, 2"], "400 http1.invalid_content_length"],
    ["a list with an empty length", ["POST / HTTP/1.1", "Content-Length: 1,"], "400 http1.invalid_content_length"],
    ["a byte above ASCII in the target", ["GET /\xe4 HTTP/1.1"], "400 http1.invalid_url"],
    ["chunked before another coding", ["POST / HTTP/1.1", "Transfer-Encoding: chunked, gzip"], CODING],
    ["no coding", ["POST / HTTP/1.1", "Transfer-Encoding:"], CODING],
    ["chunked with a comma", ["POST / HTTP/1.1", "Transfer-Encoding: chunked,"], CODING],
    ["chunked in HTTP/1.0", ["POST / HTTP/1.0", "Transfer-Encoding: chunked"], CODING],
    ["a signed length", ["POST / HTTP/1.1", "Content-Length: +1"], "400 http1.invalid_content_length"],
    ["a hexadecimal length", ["POST / HTTP/1.1", "Content-Length: 0x1"], "400 http1.invalid_content_length"],
    ["an empty length", ["POST / HTTP/1.1", "Content-Length:"], "400 http1.invalid_content_length"],
    [
      "a length that overflows",
      ["POST / HTTP/1.1", "Content-Length: 9999999999999999"],
      "400 http1.invalid_content_length",
    ],
    [
      "a length and chunked",
      ["POST / HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"],
      "400 http1.content_length_and_chunked_not_allowed",
    ],
    [
      "chunked and a length",
      ["POST / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 5"],
      "400 http1.content_length_and_chunked_not_allowed",
    ],
    [
      "an unknown coding",
      ["POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"],
      "501 http1.unsupported_transfer_encoding",
    ],
    ["identity", ["POST / HTTP/1.1", "Transfer-Encoding: identity"], "501 http1.unsupported_transfer_encoding"],
    [
      "a coding with a vertical tab",
      ["POST / HTTP/1.1", "Transfer-Encoding:\x0bchunked"],
      "400 http1.invalid_header_value",
    ],
    ["chunked twice", ["POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CODING],
    [
      "101 fields",
      ["GET / HTTP/1.1", ...Array.from({ length: 101 }, (_, i) => `h${i}: v`)],
      "431 http1.too_many_headers",
    ],
  ];
  for (const [what, lines, expected] of refused) {
    test(`is refused for ${what}`, () =>
      assert.equal(
        refusal(() => request(...lines)),
        expected,
      ));
  }

  test("says whether the connection goes on", () => {
    assert.equal(request("GET / HTTP/1.1", "Connection: x, Close").keepAlive, false);
    assert.equal(request("GET / HTTP/1.1", "Connection: closed").keepAlive, true);
    assert.equal(request("GET / HTTP/1.0").keepAlive, false);
    assert.equal(request("GET / HTTP/1.0", "Connection: keep-alive").keepAlive, true);
  });
});

describe("a response head", () => {
  const framings: readonly (readonly [string, string, readonly string[], number | "chunked" | "until-close"])[] = [
    ["its length", "GET", ["HTTP/1.1 200 OK", "Content-Length: 3"], 3],
    ["chunks", "GET", ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "chunked"],
    ["the end of the connection", "GET", ["HTTP/1.1 200 OK"], "until-close"],
    ["nothing after HEAD", "HEAD", ["HTTP/1.1 200 OK", "Content-Length: 3"], 0],
    ["nothing with 204", "GET", ["HTTP/1.1 204 No Content", "Content-Length: 3"], 0],
    ["nothing with 304", "GET", ["HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"], 0],
    ["nothing with 1xx", "GET", ["HTTP/1.1 103 Early Hints"], 0],
  ];
  for (const [what, method, lines, framing] of framings) {
    test(`has a body that is known by ${what}`, () => assert.equal(response(method, ...lines).framing, framing));
  }

  test("may lack the reason and its space, and may carry any text in it", () => {
    assert.equal(response("GET", "HTTP/1.1 200").status, 200);
    assert.equal(response("GET", "HTTP/1.1 200 ").status, 200);
    assert.equal(response("GET", "HTTP/1.1 418 I'm a \xfc").status, 418);
  });

  test("keeps the connection only in HTTP/1.1, with a known end, and without close", () => {
    assert.equal(response("GET", "HTTP/1.1 200 OK", "Content-Length: 0").keepAlive, true);
    assert.equal(response("GET", "HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close").keepAlive, false);
    assert.equal(response("GET", "HTTP/1.1 200 OK").keepAlive, false);
    assert.equal(response("GET", "HTTP/1.0 200 OK", "Content-Length: 0", "Connection: keep-alive").keepAlive, false);
  });

  const refused: readonly (readonly [string, readonly string[]])[] = [
    ["another protocol", ["ICY 200 OK"]],
    ["HTTP/2", ["HTTP/2 200"]],
    ["a status of two digits", ["HTTP/1.1 20 OK"]],
    ["a status below 100", ["HTTP/1.1 099 OK"]],
    ["a control character in the reason", ["HTTP/1.1 200 O\x01K"]],
    ["a folded line", ["HTTP/1.1 200 OK", "a: b", " c"]],
    ["a bare LF", ["HTTP/1.1 200 OK", "a: b\nc: d"]],
    ["two lengths", ["HTTP/1.1 200 OK", "Content-Length: 3", "Content-Length: 4"]],
    ["a length and chunks", ["HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"]],
    ["an unknown coding", ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip"]],
    ["chunks in HTTP/1.0", ["HTTP/1.0 200 OK", "Transfer-Encoding: chunked"]],
  ];
  for (const [what, lines] of refused) {
    test(`is refused for ${what}`, () => assert.throws(() => response("GET", ...lines), Http1Error));
  }
});

describe("hop-by-hop fields", () => {
  test("are removed with those that Connection names, but for host and the length", () => {
    const list = headers([
      ["Host", "a"],
      ["Connection", "X-Private, close, Host, content-length"],
      ["connection", "x-more"],
      ["Keep-Alive", "timeout=5"],
      ["Proxy-Connection", "keep-alive"],
      ["Proxy-Authorization", "secret"],
      ["TE", "trailers"],
      ["Trailer", "x"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "h2c"],
      ["X-Private", "1"],
      ["X-More", "2"],
      ["Content-Length", "3"],
      ["X-Stays", "4"],
      ["x-private", "5"],
    ]);
    removeHopByHop(list);
    assert.equal(encodeFields(list), "Host: a\r\nContent-Length: 3\r\nX-Stays: 4\r\n");
  });

  test("are looked for as tokens of a list", () => {
    const list = headers([
      ["Expect", "100-Continue"],
      ["Connection", "keep-alive , CLOSE"],
    ]);
    assert.equal(hasToken(list, "expect", "100-continue"), true);
    assert.equal(hasToken(list, "connection", "close"), true);
    assert.equal(hasToken(list, "connection", "keep"), false);
  });
});

describe("a list of fields", () => {
  test("sets at the place of the first and removes the others", () => {
    const list = headers([
      ["a", "1"],
      ["B", "2"],
      ["A", "3"],
      ["a", "4"],
    ]);
    list.set("A", "a", "5");
    assert.deepEqual(list.values, ["5", "2"]);
    assert.equal(encodeFields(list), "a: 5\r\nB: 2\r\n");
    list.set("C", "c", "6");
    list.remove("b");
    assert.deepEqual(
      [list.keys, list.values],
      [
        ["a", "c"],
        ["5", "6"],
      ],
    );
  });

  test("joins the values of one field in its map, which has no inherited keys", () => {
    const map = headers([
      ["Accept", "a"],
      ["accept", "b"],
      ["__proto__", "c"],
    ]).toMap();
    assert.deepEqual(Object.entries(map), [
      ["accept", "a,b"],
      ["__proto__", "c"],
    ]);
    assert.equal(map["toString"], undefined);
  });
});
