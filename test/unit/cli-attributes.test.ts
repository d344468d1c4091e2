import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { attributesOf, withAttributeOptions } from "../../cli/live/attribute-flags.ts";
import { partiesNamed, partyName, requestAttributes } from "../../cli/live/request-attributes.ts";
import type { ListedService } from "../../shared/wire/index.ts";

function parse(...words: string[]): unknown {
  const command = withAttributeOptions(new Command("x")).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  command.parse(words, { from: "user" });
  return attributesOf(command.opts());
}

test("attributes are read as their type in the vocabulary, whichever flag they come in", () => {
  assert.deepEqual(parse("-a", "request.path=/a\\,b,response.code=200,connection.mtls=true,source.ip=10.0.0.1"), {
    "request.path": "/a,b",
    "response.code": 200,
    "connection.mtls": true,
    "source.ip": "10.0.0.1",
  });
  assert.deepEqual(parse("-i", "response.code=200", "-i", "request.size=3"), {
    "response.code": 200,
    "request.size": 3,
  });
  assert.deepEqual(parse("--stringmap_attributes", "request.headers=:path:/x;user:a:b,source.labels=version:v3"), {
    "request.headers": { ":path": "/x", user: "a:b" },
    "source.labels": { version: "v3" },
  });
  assert.deepEqual(parse("--bytes_attributes", "source.ip=a:0:0:ff"), { "source.ip": "10.0.0.255" });
  assert.deepEqual(parse("-s", "request.headers[x-user]=a=b"), { "request.headers[x-user]": "a=b" });
});

for (const [words, message] of [
  [["-a", "source.labls=x"], /no attribute source\.labls; did you mean source\.labels/],
  [["-s", "response.code=200"], /response\.code is of type INT64/],
  [["-a", "response.code=many"], /many is no number/],
  [["-b", "connection.mtls=yes"], /use true or false/],
  [["-a", "request.path"], /write name=value/],
  [["--stringmap_attributes", "request.headers=user"], /write name:value/],
  [["--bytes_attributes", "source.ip=10.0.0.1"], /hexadecimal/],
  [["-a", "request.path[x]=1"], /has no keys/],
] as const) {
  test(`${words.join(" ")} is refused`, () => assert.throws(() => parse(...words), message));
}

const instance = (name: string, version: string) => ({
  instance: `${name}-${version}-1`,
  workload: `${name}-${version}`,
  principal: `spiffe://cluster.local/ns/default/sa/${name}`,
  address: "10.0.0.7",
  ports: [],
  labels: { app: name, version },
  healthy: true,
  plaintext: false,
  locality: "",
  weight: 1,
  version: "",
  gateway: false,
});

const SERVICES: readonly ListedService[] = ["reviews", "ratings"].map((name) => ({
  namespace: "default",
  name,
  ports: [{ number: 9080, protocol: "http" }],
  instances: [instance(name, "v1"), { ...instance(name, "v1"), instance: `${name}-v1-2` }, instance(name, "v2")],
}));

test("a service means one instance of each of its workloads", () => {
  for (const word of ["reviews", "reviews.default", "reviews.default.svc.cluster.local"])
    assert.deepEqual(partiesNamed(SERVICES, word).map(partyName), ["reviews-v1.default", "reviews-v2.default"], word);
  assert.deepEqual(partiesNamed(SERVICES, "reviews-v2.default").map(partyName), ["reviews-v2.default"]);
  assert.deepEqual(
    partiesNamed(SERVICES, "reviews-v1-2").map(({ instance: { instance } }) => instance),
    ["reviews-v1-2"],
  );
  assert.deepEqual(partiesNamed(SERVICES, "details"), []);
});

test("a request has the attributes that the destination's proxy would send", () => {
  const [source] = partiesNamed(SERVICES, "reviews-v2");
  const [destination] = partiesNamed(SERVICES, "ratings");
  assert.ok(source !== undefined && destination !== undefined);
  const request = { method: "GET", path: "/ratings/1", headers: { user: "jason" } };
  const attributes = requestAttributes(source, destination, request, 0);
  assert.equal(attributes["source.user"], "cluster.local/ns/default/sa/reviews");
  assert.deepEqual(attributes["source.labels"], { app: "reviews", version: "v2" });
  assert.equal(attributes["destination.service"], "ratings.default.svc.cluster.local");
  assert.equal(attributes["request.host"], "ratings.default:9080");
  assert.equal((attributes["request.headers"] as Record<string, string>)[":path"], "/ratings/1");
  const outside = requestAttributes(undefined, destination, request, 0);
  assert.deepEqual(
    Object.keys(outside).filter((name) => name.startsWith("source.")),
    [],
  );
  assert.equal(outside["connection.mtls"], false);
});
