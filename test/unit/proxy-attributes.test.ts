import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileReader, ipBytes } from "../../services/proxy/stream/attributes.ts";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { type Peer, RequestRecord, UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { decodeHello, encodeHello, MAX_HELLO_BYTES } from "../../services/proxy/tls/hello.ts";
import { WireError } from "../../shared/base/index.ts";

const source: Peer = {
  namespace: "default",
  service: "productpage",
  host: "productpage.default.svc.cluster.local",
  workload: "productpage-v1",
  instance: "pp-1",
  principal: "spiffe://cluster.local/ns/default/sa/bookinfo",
  labels: { app: "productpage", version: "v1" },
  ip: "10.0.0.7",
  port: 40_000,
};

function record(): RequestRecord {
  const headers = new HeaderList();
  headers.add("User-Agent", "user-agent", "curl");
  headers.add("Referer", "referer", "http://x/");
  headers.add("X-User", "x-user", "jason");
  const made = new RequestRecord(
    "inbound",
    { method: "GET", authority: "reviews:9080", scheme: "http", path: "/reviews/0?x=1", headers },
    source,
    { ...UNKNOWN_PEER, service: "reviews", ip: "::1" },
    true,
  );
  made.status = 200;
  made.bytesReceived = 3;
  made.bytesSent = 295;
  made.durationMs = 12.5;
  made.requestId = "id-1";
  made.responseHeaders = new HeaderList();
  made.responseHeaders.add("Content-Type", "content-type", "text/html");
  return made;
}

describe("attributes of a request", () => {
  const of = record();
  const expected: Readonly<Record<string, unknown>> = {
    "request.path": "/reviews/0?x=1",
    "request.host": "reviews:9080",
    "request.method": "GET",
    "request.scheme": "http",
    "request.useragent": "curl",
    "request.referer": "http://x/",
    "request.size": 3,
    "request.id": "id-1",
    "request.time": of.startedMs,
    "request.headers[X-User]": "jason",
    "request.headers[:path]": "/reviews/0?x=1",
    "request.headers[absent]": undefined,
    "request.headers[constructor]": undefined,
    "response.code": 200,
    "response.size": 295,
    "response.duration": 12.5,
    "response.time": of.startedMs + 12.5,
    "response.headers[content-type]": "text/html",
    "context.protocol": "http",
    "context.reporter.kind": "inbound",
    "connection.mtls": true,
    "check.error_code": undefined,
    "source.namespace": "default",
    "source.service": "productpage.default.svc.cluster.local",
    "source.name": "pp-1",
    "source.uid": "lateen://pp-1.default",
    "source.workload": "productpage-v1",
    "source.principal": "spiffe://cluster.local/ns/default/sa/bookinfo",
    "source.user": "cluster.local/ns/default/sa/bookinfo",
    "source.serviceAccount": "bookinfo",
    "source.port": 40_000,
    "source.labels[version]": "v1",
    "source.labels[toString]": undefined,
    "destination.namespace": undefined,
    "destination.principal": undefined,
    "destination.port": undefined,
    "source.constructor": undefined,
    constructor: undefined,
    "no.such.attribute": undefined,
    "not a reference!": undefined,
  };
  for (const [reference, value] of Object.entries(expected)) {
    test(`${reference} is ${JSON.stringify(value)}`, () => assert.deepEqual(compileReader(reference)(of), value));
  }

  test("are maps where no key is named, with the parts of the request line among the headers", () => {
    const headers = compileReader("request.headers")(of) as Record<string, string>;
    assert.equal(headers["x-user"], "jason");
    assert.equal(headers[":authority"], "reviews:9080");
    assert.deepEqual(compileReader("source.labels")(of), { app: "productpage", version: "v1" });
  });

  test("are addresses of four or sixteen bytes", () => {
    assert.deepEqual([...(compileReader("source.ip")(of) as Uint8Array)], [10, 0, 0, 7]);
    const last = (text: string): number[] => [...(ipBytes(text) ?? [])];
    assert.deepEqual(last("::ffff:10.0.0.7"), [10, 0, 0, 7]);
    assert.deepEqual(last("::1"), [...Array<number>(15).fill(0), 1]);
    assert.deepEqual(last("fe80::1:2%eth0"), [0xfe, 0x80, ...Array<number>(10).fill(0), 0, 1, 0, 2]);
    assert.deepEqual(last("1:2:3:4:5:6:7:8"), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
    assert.equal(ipBytes("reviews"), undefined);
    assert.equal(ipBytes(""), undefined);
  });
});

describe("Hello", () => {
  const hello = {
    protocol: "http/1.1",
    service: "reviews",
    port: 9080,
    sourceService: "productpage",
    sourceInstance: "pp-1",
    sourceWorkload: "productpage-v1",
    sourceLabels: { version: "v1" },
  };

  test("is read once it is complete, and what follows it stays", () => {
    const frame = encodeHello(hello);
    const stream = Buffer.concat([frame, Buffer.from("GET / HTTP/1.1\r\n")]);
    for (let length = 0; length < frame.length; length++)
      assert.equal(decodeHello(stream.subarray(0, length)), undefined);
    for (const length of [frame.length, frame.length + 1, stream.length]) {
      const read = decodeHello(stream.subarray(0, length));
      assert.equal(read?.next, frame.length);
      assert.equal(read.hello.service, "reviews");
      assert.equal(read.hello.port, 9080);
      assert.deepEqual({ ...read.hello.sourceLabels }, { version: "v1" });
    }
  });

  test("that is too long, or is none, is refused before more is waited for", () => {
    const long = Buffer.alloc(4);
    long.writeUInt32BE(MAX_HELLO_BYTES + 1);
    assert.throws(() => decodeHello(long), WireError);
    assert.throws(() => decodeHello(Buffer.from("GET / HTTP/1.1\r\n\r\n")), WireError);
    assert.throws(() => decodeHello(Buffer.from([0, 0, 0, 2, 0xff, 0xff])), WireError);
  });
});
