import assert from "node:assert/strict";
import { test } from "node:test";
import { CircuitBreaker } from "../../services/proxy/cluster/circuit-breaker.ts";
import { Connector } from "../../services/proxy/cluster/connector.ts";
import { HostSet } from "../../services/proxy/mesh/host-set.ts";
import { UNKNOWN_PEER } from "../../services/proxy/stream/record.ts";
import { type Endpoint, type EndpointInput, EndpointSet } from "../../shared/wire/index.ts";

const service = { namespace: "default", service: "reviews", host: "reviews.default.svc.cluster.local" };

function hostSet(): HostSet {
  const connector = new Connector({
    connectTimeoutMs: 1_000,
    self: UNKNOWN_PEER,
    identity: () => undefined,
    verify: () => ({ error: "not used" }),
  });
  return new HostSet(connector, new CircuitBreaker());
}

/** Through the wire and back, so that absent fields are as a follower sees them. */
function endpoints(...inputs: EndpointInput[]): readonly Endpoint[] {
  const defaults = {
    address: "10.0.0.1",
    ports: [{ number: 9080, protocol: "http", addressPort: 15006 }],
    healthy: true,
  };
  const all = inputs.map((input) => ({ ...defaults, ...input }));
  return EndpointSet.decode(EndpointSet.encode({ endpoints: all })).endpoints;
}

test("a host whose health or weight changes stays itself, with its connections", () => {
  const set = hostSet();
  const [before] = set.update(service, endpoints({ instance: "r1" }));
  assert.deepEqual([before?.healthy, before?.weight], [true, 1]);
  const [after] = set.update(service, endpoints({ instance: "r1", healthy: false, weight: 5 }));
  assert.equal(after, before);
  assert.deepEqual([after?.healthy, after?.weight], [false, 5]);
});

test("a host whose address, labels, identity or locality changes is another", () => {
  const set = hostSet();
  let [before] = set.update(service, endpoints({ instance: "r1" }));
  const changes = [{ address: "10.0.0.2" }, { labels: { v: "2" } }, { principal: "spiffe://x" }, { locality: "eu" }];
  for (const change of changes) {
    const [after] = set.update(service, endpoints({ instance: "r1", ...change }));
    assert.notEqual(after, before);
    before = after;
  }
});

test("of a port alone are the hosts that serve it, with no other port, each its own as long as that port stays", () => {
  const set = hostSet();
  const [web, admin] = [
    { number: 80, addressPort: 1 },
    { number: 81, addressPort: 2 },
  ];
  const [both, ...none] = set.update(
    service,
    endpoints({ instance: "r1", ports: [web, admin] }, { instance: "r2", ports: [web] }),
    81,
  );
  assert.deepEqual(none, []);
  assert.deepEqual([[...(both?.ports.keys() ?? [])], both?.peer.port], [[81], 81]);
  const [after] = set.update(service, endpoints({ instance: "r1", ports: [{ ...web, addressPort: 3 }, admin] }), 81);
  assert.equal(after, both);
});

test("a host that is gone is closed, and one that comes is as its endpoint says", () => {
  const set = hostSet();
  set.update(service, endpoints({ instance: "r1" }, { instance: "r2" }));
  const [only, ...none] = set.update(service, endpoints({ instance: "r3", principal: "spiffe://a", workload: "w" }));
  assert.deepEqual(none, []);
  assert.deepEqual(
    [only?.peer.service, only?.peer.workload, only?.peer.principal, only?.peer.port, only?.ports.get(9080)?.port],
    ["reviews", "w", "spiffe://a", 9080, 15006],
  );
  const [plain] = set.update(service, endpoints({ instance: "r3", principal: "spiffe://a", plaintext: true }));
  assert.equal(plain?.peer.principal, "", "nobody proves who it is in plain text");
});
