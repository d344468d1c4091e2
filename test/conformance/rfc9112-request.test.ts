import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ok } from "../harness/raw-backend.ts";
import { fieldOf } from "../harness/strict-reader.ts";
import { CodecProxy, withProxy } from "./codec-proxy.ts";

/** RFC 9112, sections 2 to 5: request lines, targets, Host and field lines, as a backend gets them through a proxy. */

let proxy: CodecProxy;
before(async () => {
  proxy = await CodecProxy.start();
});
after(() => proxy.close());

/** The status and the detail of the only answer, after which the connection is closed, and that nothing passed. */
async function refusalOf(text: string): Promise<string> {
  const before = proxy.backend.requests.length;
  const client = await proxy.client();
  client.send(text);
  const status = await client.refusal(text.startsWith("HEAD ") ? "HEAD" : "GET");
  assert.equal(proxy.backend.requests.length, before, "something was passed on");
  return `${status} ${proxy.records.at(-1)?.detail}`;
}

async function passed(text: string) {
  const client = await proxy.client();
  client.send(text);
  assert.equal((await client.response()).status, 200);
  client.close();
  const request = proxy.backend.requests.at(-1);
  assert.ok(request !== undefined);
  return request;
}

const HOST = "Host: reviews:9080";

describe("RFC 9112 2.2, 2.3: a message", () => {
  test("may be preceded by empty lines", async () => {
    assert.equal((await passed(`\r\n\r\nGET /a HTTP/1.1\r\n${HOST}\r\n\r\n`)).target, "/a");
  });

  test("may follow an empty line that came alone, or half", async () => {
    const client = await proxy.client();
    for (const piece of ["\r", "\n", "\r\n", `GET /a HTTP/1.1\r\n${HOST}\r\n\r\n`]) {
      client.send(piece);
      // Whatever is answered meanwhile has come after the piece.
      await passed(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
    }
    assert.equal((await client.response()).body, "/a");
    client.close();
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ["lines that end with LF", `GET / HTTP/1.1\n${HOST}\n\n`, "400 http1.invalid_request_line"],
    ["a bare CR in the request line", `GET /\r HTTP/1.1\r\n${HOST}\r\n\r\n`, "400 http1.invalid_url"],
    ["a bare LF in a field", `GET / HTTP/1.1\r\n${HOST}\r\nA: b\nC: d\r\n\r\n`, "400 http1.invalid_header_value"],
    ["a bare CR in a field", `GET / HTTP/1.1\r\n${HOST}\r\nA: b\rC: d\r\n\r\n`, "400 http1.invalid_header_value"],
    ["a space before the method", ` GET / HTTP/1.1\r\n${HOST}\r\n\r\n`, "400 http1.invalid_request_line"],
    ["a space before the first field", `GET / HTTP/1.1\r\n ${HOST}\r\n\r\n`, "400 http1.invalid_header_name"],
    ["bytes of TLS", "\x16\x03\x01\x02\x00\x01\x00", "400 http1.invalid_request_line"],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 http1.unsupported_version"],
    ["HTTP/1.2", `GET / HTTP/1.2\r\n${HOST}\r\n\r\n`, "505 http1.unsupported_version"],
    ["HTTP/0.9", "GET /\r\n\r\n", "400 http1.invalid_request_line"],
    ["a version in lower case", `GET / http/1.1\r\n${HOST}\r\n\r\n`, "400 http1.invalid_request_line"],
    ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "426 low_version"],
  ];
  for (const [what, text, expected] of refused) {
    test(`is refused for ${what}`, async () => assert.equal(await refusalOf(text), expected));
  }

  test("of HEAD is refused without a body", async () => {
    assert.equal(await refusalOf("HEAD / HTTP/1.1\r\n\r\n"), "400 missing_host_header");
  });
});

describe("RFC 9112 3: a request line", () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ["two spaces", "GET  / HTTP/1.1", "400 http1.invalid_url"],
    ["a tab for a space", "GET\t/ HTTP/1.1", "400 http1.invalid_request_line"],
    ["a space at its end", "GET / HTTP/1.1 ", "400 http1.invalid_request_line"],
    ["a method that is no token", "G@T / HTTP/1.1", "400 http1.invalid_method"],
    ["a space in the target", "GET /a b HTTP/1.1", "400 http1.invalid_request_line"],
    ["a NUL in the target", "GET /\0 HTTP/1.1", "400 http1.invalid_url"],
    ["a DEL in the target", "GET /\x7f HTTP/1.1", "400 http1.invalid_url"],
    ["a byte above ASCII in the target", "GET /\xe4 HTTP/1.1", "400 http1.invalid_url"],
    ["a fragment", "GET /a#b HTTP/1.1", "400 http1.invalid_url"],
    ["a relative target", "GET a HTTP/1.1", "400 http1.invalid_url"],
    ["an empty host in the target", "GET http:///a HTTP/1.1", "400 http1.invalid_url"],
    ["user information in the target", "GET http://user@reviews/ HTTP/1.1", "400 http1.invalid_url"],
    ["another scheme", "GET ftp://reviews/ HTTP/1.1", "400 http1.invalid_url"],
    ["authority-form without CONNECT", "GET reviews:9080 HTTP/1.1", "400 http1.invalid_url"],
    ["* without OPTIONS", "GET * HTTP/1.1", "400 http1.invalid_url"],
  ];
  for (const [what, line, expected] of refused) {
    test(`is refused for ${what}`, async () => assert.equal(await refusalOf(`${line}\r\n${HOST}\r\n\r\n`), expected));
  }

  test("may have any token as its method, case kept", async () => {
    assert.equal((await passed(`m-Search!~ / HTTP/1.1\r\n${HOST}\r\n\r\n`)).method, "m-Search!~");
  });

  test("keeps its target to the byte", async () => {
    const target = "//a/../b/%2e%2F;p=1/?q={x}|%zz&r=1?s";
    assert.equal((await passed(`GET ${target} HTTP/1.1\r\n${HOST}\r\n\r\n`)).target, target);
  });
});

describe("RFC 9112 3.2: the four forms of a target", () => {
  const forms: readonly (readonly [string, string, string, string])[] = [
    ["origin-form", "GET /a?b", "/a?b", "reviews:9080"],
    ["absolute-form, whose authority wins", "GET http://ratings:81/a?b", "/a?b", "ratings:81"],
    ["absolute-form without a path", "GET HTTP://ratings", "/", "ratings"],
    ["absolute-form with a query only", "GET http://ratings?b", "/?b", "ratings"],
    ["absolute-form of an IPv6 address", "GET http://[::1]:80/", "/", "[::1]:80"],
    ["absolute-form of OPTIONS for a whole server", "OPTIONS http://ratings", "*", "ratings"],
    ["absolute-form of OPTIONS for its root", "OPTIONS http://ratings/", "/", "ratings"],
    ["asterisk-form", "OPTIONS *", "*", "reviews:9080"],
  ];
  for (const [what, line, target, host] of forms) {
    test(what, async () => {
      const request = await passed(`${line} HTTP/1.1\r\n${HOST}\r\n\r\n`);
      assert.deepEqual([request.target, fieldOf(request, "host")], [target, host]);
    });
  }

  test("authority-form is refused where there is no explicit proxy", async () => {
    const client = await proxy.client();
    client.send("CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const answer = await client.response();
    assert.equal(answer.status, 405);
    assert.match(fieldOf(answer, "allow") ?? "", /GET/);
    assert.equal(await client.untilClosed(), "");
  });
});

describe("RFC 9112 3.2: Host", () => {
  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ["is missing", [], "400 missing_host_header"],
    ["comes twice", [HOST, HOST], "400 http1.duplicate_host"],
    ["comes twice and differs", [HOST, "host: other"], "400 http1.duplicate_host"],
    ["is empty", ["Host:"], "400 http1.invalid_host"],
    ["has a path", ["Host: reviews/a"], "400 http1.invalid_host"],
    ["has user information", ["Host: a@reviews"], "400 http1.invalid_host"],
    ["has two ports", ["Host: reviews:80:80"], "400 http1.invalid_host"],
    ["has a port out of range", ["Host: reviews:65536"], "400 http1.invalid_host"],
    ["has a port that is no number", ["Host: reviews:http"], "400 http1.invalid_host"],
    ["is a list", ["Host: reviews, ratings"], "400 http1.invalid_host"],
    ["has a space", ["Host: rev iews"], "400 http1.invalid_host"],
    ["is no IPv6 address", ["Host: [::g]"], "400 http1.invalid_host"],
    ["is half an IPv6 address", ["Host: [1:2]"], "400 http1.invalid_host"],
    ["has a percent sign alone", ["Host: a%b"], "400 http1.invalid_host"],
    ["is named after a space", ["Host : reviews"], "400 http1.invalid_header_name"],
  ];
  for (const [what, lines, expected] of refused) {
    test(`is refused when it ${what}`, async () =>
      assert.equal(await refusalOf([`GET / HTTP/1.1`, ...lines, "", ""].join("\r\n")), expected));
  }

  for (const [given, got] of [
    ["reviews", "reviews"],
    ["reviews:", "reviews"],
    ["REVIEWS.default:80", "REVIEWS.default:80"],
    ["[::1]", "[::1]"],
    ["a_b-c~d.%7eexample:1", "a_b-c~d.%7eexample:1"],
  ] as const) {
    test(`may be ${given}`, async () => {
      const request = await passed(`GET / HTTP/1.1\r\nHost: ${given}\r\n\r\n`);
      assert.equal(fieldOf(request, "host"), got);
    });
  }

  test("may be empty beside an absolute target, and is one again behind it", async () => {
    const request = await passed("GET http://ratings/ HTTP/1.1\r\nA: b\r\nHost:\r\nC: d\r\n\r\n");
    assert.deepEqual(request.fields, [
      ["A", "b"],
      ["Host", "ratings"],
      ["C", "d"],
    ]);
  });
});

describe("RFC 9112 5: field lines", () => {
  test("keep their case, their order and their values", async () => {
    const request = await passed(
      "GET / HTTP/1.1\r\nX-First: 1\r\nhOsT: reviews\r\nx-FIRST:\t two \t\r\nX-Empty:\r\nX-Latin: \xe4\r\n\r\n",
    );
    assert.deepEqual(request.fields, [
      ["X-First", "1"],
      ["hOsT", "reviews"],
      ["x-FIRST", "two"],
      ["X-Empty", ""],
      ["X-Latin", "\xe4"],
    ]);
  });

  test("of an answer keep their case and their order too", () =>
    withProxy({ answer: () => ok("", "sEt-cookie: a", "DATE: now", "X-B: 1", "Set-Cookie: b") }, async (_, client) => {
      client.head("GET / HTTP/1.1", HOST);
      assert.deepEqual((await client.response()).fields, [
        ["Content-Length", "0"],
        ["sEt-cookie", "a"],
        ["DATE", "now"],
        ["X-B", "1"],
        ["Set-Cookie", "b"],
      ]);
    }));

  const refused: readonly (readonly [string, string, string])[] = [
    ["a space before the colon", "A : b", "400 http1.invalid_header_name"],
    ["a tab before the colon", "A\t: b", "400 http1.invalid_header_name"],
    ["no name", ": b", "400 http1.invalid_header_name"],
    ["a name that is no token", "A/B: c", "400 http1.invalid_header_name"],
    ["a name above ASCII", "\xc4: c", "400 http1.invalid_header_name"],
    ["no colon", "A", "400 http1.invalid_header"],
    ["a folded value", "A: b\r\n c", "400 http1.invalid_header"],
    ["a folded value with a colon", "A: b\r\n\tc: d", "400 http1.invalid_header_name"],
    ["a NUL", "A: \0", "400 http1.invalid_header_value"],
    ["an escape", "A: \x1b", "400 http1.invalid_header_value"],
    ["a DEL", "A: \x7f", "400 http1.invalid_header_value"],
  ];
  for (const [what, line, expected] of refused) {
    test(`are refused for ${what}`, async () =>
      assert.equal(await refusalOf(`GET / HTTP/1.1\r\n${HOST}\r\n${line}\r\n\r\n`), expected));
  }
});
