import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeaderList } from "../../services/proxy/stream/header-list.ts";
import { type TraceFormatName, Tracer } from "../../services/proxy/trace/tracer.ts";

const TRACE = "463ac35c9f6413ad48485a3953bb6124";
const SPAN = "a2fb4a1d1a96d312";
const PARENT = "0020000000000001";

function headers(fields: Readonly<Record<string, string>> = {}): HeaderList {
  const list = new HeaderList();
  for (const [name, value] of Object.entries(fields)) list.add(name, name.toLowerCase(), value);
  return list;
}

/** What `send` makes of a request. `drawn`: the number that decides whether a new trace is kept. */
function sent(
  fields: Readonly<Record<string, string>>,
  { formats = ["w3c"] as readonly TraceFormatName[], samplingPercent = 50, drawn = 0 } = {},
): Readonly<Record<string, string>> {
  const list = headers(fields);
  new Tracer({ formats, samplingPercent }, () => drawn).send(list);
  return { ...list.toMap() };
}

describe("a new trace", () => {
  test("is written in the formats of the settings, with new ids and one decision", () => {
    const made = sent({ accept: "*/*" }, { formats: ["w3c", "b3", "b3multi"] });
    const [, traceId, spanId, flags] =
      /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/.exec(made["traceparent"] ?? "") ?? [];
    assert.ok(traceId !== undefined && spanId !== undefined);
    assert.equal(flags, "01");
    assert.equal(made["b3"], `${traceId}-${spanId}-1`);
    assert.equal(made["x-b3-traceid"], traceId);
    assert.equal(made["x-b3-spanid"], spanId);
    assert.equal(made["x-b3-sampled"], "1");
    assert.ok(!("x-b3-parentspanid" in made));
    assert.notEqual(sent({})["traceparent"], sent({})["traceparent"]);
  });

  test("is kept as often as the setting says, and says so when it is not", () => {
    assert.match(sent({}, { drawn: 0.49 })["traceparent"] ?? "", /-01$/);
    assert.match(sent({}, { drawn: 0.5 })["traceparent"] ?? "", /-00$/);
    assert.match(sent({}, { samplingPercent: 0 })["traceparent"] ?? "", /-00$/);
    assert.match(sent({}, { samplingPercent: 100, drawn: 0.999 })["traceparent"] ?? "", /-01$/);
    assert.match(sent({}, { formats: ["b3"], drawn: 0.9 })["b3"] ?? "", /-0$/);
    assert.equal(sent({}, { formats: ["b3multi"], drawn: 0.9 })["x-b3-sampled"], "0");
  });

  test("takes its ids from a pool that does not repeat", () => {
    const tracer = new Tracer({ formats: ["b3"], samplingPercent: 100 });
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 1_000; i++) {
      const list = headers();
      tracer.send(list);
      seen.add(list.get("b3"));
    }
    assert.equal(seen.size, 1_000);
  });
});

describe("a trace that comes in", () => {
  test("is continued as W3C has it: the same trace, a new span, tracestate as it was", () => {
    const made = sent({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1" });
    assert.match(made["traceparent"] ?? "", new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    assert.ok(!made["traceparent"]?.includes(SPAN));
    assert.equal(made["tracestate"], "vendor=1");
    assert.deepEqual(Object.keys(made), ["traceparent", "tracestate"], "in no format but its own");
    assert.match(
      sent({ traceparent: `cc-${TRACE}-${SPAN}-01-more` })["traceparent"] ?? "",
      new RegExp(`^00-${TRACE}-`),
    );
  });

  test("is continued as B3 has it, with the sender's span as the parent", () => {
    const single = sent({ b3: `${TRACE}-${SPAN}-1-${PARENT}` });
    assert.match(single["b3"] ?? "", new RegExp(`^${TRACE}-[0-9a-f]{16}-1-${SPAN}$`));
    assert.match(sent({ b3: `${TRACE}-${SPAN}-d` })["b3"] ?? "", new RegExp(`-d-${SPAN}$`));
    const multi = sent({ "X-B3-TraceId": TRACE.slice(16), "X-B3-SpanId": SPAN, "X-B3-Sampled": "1" });
    assert.equal(multi["x-b3-traceid"], TRACE.slice(16));
    assert.notEqual(multi["x-b3-spanid"], SPAN);
    assert.equal(multi["x-b3-parentspanid"], SPAN);
    assert.equal(multi["x-b3-sampled"], "1");
    const debug = sent({ "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1" });
    assert.equal(debug["x-b3-flags"], "1");
    assert.ok(!("x-b3-sampled" in debug));
  });

  test("has the same new span in every format that it came in; a single b3 header wins over the others", () => {
    const made = sent({
      traceparent: `00-${TRACE}-${SPAN}-01`,
      b3: `${TRACE}-${SPAN}-1`,
      "x-b3-traceid": PARENT.repeat(2),
    });
    const span = /^00-[0-9a-f]+-([0-9a-f]+)-/.exec(made["traceparent"] ?? "")?.[1] ?? "none";
    assert.equal(made["b3"], `${TRACE}-${span}-1-${SPAN}`);
    assert.ok(!("x-b3-traceid" in made));
  });

  test("is passed on as it is when it is not kept", () => {
    for (const fields of [
      { traceparent: `00-${TRACE}-${SPAN}-00` },
      { b3: "0" },
      { b3: `${TRACE}-${SPAN}-0` },
      { "x-b3-sampled": "0" },
    ]) {
      assert.deepEqual(sent(fields), fields);
    }
  });

  test("gets a decision when nobody has made one, and ids when only a decision came", () => {
    assert.match(sent({ b3: `${TRACE}-${SPAN}` })["b3"] ?? "", new RegExp(`^${TRACE}-[0-9a-f]{16}-1-${SPAN}$`));
    assert.match(sent({ b3: `${TRACE}-${SPAN}` }, { drawn: 0.9 })["b3"] ?? "", new RegExp(`-0-${SPAN}$`));
    assert.match(sent({ b3: "1" })["b3"] ?? "", /^[0-9a-f]{32}-[0-9a-f]{16}-1$/);
    assert.equal(sent({ "x-b3-sampled": "true" }, { drawn: 0.9 })["x-b3-sampled"], "1");
  });

  test("begins anew when it cannot be read", () => {
    for (const fields of [
      { traceparent: `00-${"0".repeat(32)}-${SPAN}-01`, tracestate: "vendor=1" },
      { traceparent: `ff-${TRACE}-${SPAN}-01` },
      { traceparent: `00-${TRACE}-${SPAN}-01-more` },
      { traceparent: "nonsense" },
      { b3: `${TRACE}-${"0".repeat(16)}-1` },
      { b3: "a-b-c-d-e" },
      { "x-b3-traceid": "xyz", "x-b3-spanid": SPAN },
    ]) {
      const made = sent(fields);
      assert.deepEqual(Object.keys(made), ["traceparent"]);
      assert.ok(!made["traceparent"]?.includes(SPAN));
    }
  });

  test("is shared by the receiving side, which begins one only when there is none", () => {
    const tracer = new Tracer({ formats: ["w3c"], samplingPercent: 100 });
    const given = headers({ traceparent: `00-${TRACE}-${SPAN}-01` });
    tracer.receive(given);
    assert.equal(given.get("traceparent"), `00-${TRACE}-${SPAN}-01`);
    const none = headers();
    tracer.receive(none);
    assert.match(none.get("traceparent") ?? "", /-01$/);
  });
});
