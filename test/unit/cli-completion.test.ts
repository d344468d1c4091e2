import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, type Lookup } from "../../cli/completion/complete.ts";
import { buildProgram } from "../../cli/program.ts";
import { cliIo, runLateen } from "../harness/cli.ts";

const asked: unknown[] = [];
const lookup: Lookup = {
  async names(kind, typed) {
    asked.push([kind, typed.options]);
    return ["reviews-default", "reviews-test", "ratings"];
  },
  namespaces: async () => ["default", "istio-system"],
  services: async () => ["reviews", "ratings"],
  proxies: async () => ["reviews-1.default"],
  contexts: () => ["demo", "staging"],
};

async function offered(line: string): Promise<readonly string[] | "files"> {
  const program = buildProgram(cliIo(), () => async () => {});
  const completion = await complete(program, line.split(" ").slice(1), lookup);
  return completion === "files" ? completion : completion.map(({ value }) => value);
}

for (const [line, values] of [
  ["lateen rep", ["replace"]],
  ["lateen get virtuals", ["virtualservice"]],
  ["lateen get vs,destinationr", ["vs,destinationrule"]],
  ["lateen get routerule rev", ["reviews-default", "reviews-test"]],
  ["lateen get -o yaml routerule reviews-test rev", ["reviews-default"]],
  ["lateen get routerule/ra", ["routerule/ratings"]],
  ["lateen get --output ", ["short", "wide", "yaml", "json", "name"]],
  ["lateen get -o j", ["json"]],
  ["lateen get --output=w", ["--output=wide"]],
  ["lateen get --all", ["--all-namespaces"]],
  ["lateen get -A --all", []],
  ["lateen get -n ", ["default", "istio-system"]],
  ["lateen get --context s", ["staging"]],
  ["lateen rollback routerule ratings ", []],
  ["lateen apply -f ", "files"],
  ["lateen apply -f a.yaml --filen", ["--filename"]],
  ["lateen context u", ["use"]],
  ["lateen context use d", ["demo"]],
  ["lateen completion ", ["bash", "zsh", "fish"]],
  ["lateen explain P", ["POST", "PUT", "PATCH"]],
  ["lateen explain GET http://reviews --from re", ["reviews"]],
  ["lateen explain GET http://reviews ", []],
  ["lateen tap --to ra", ["ratings"]],
  ["lateen telemetry --kind m", ["metric"]],
  ["lateen __c", []],
  ["lateen nonsense x", []],
] as const) {
  test(`completes ${JSON.stringify(line)}`, async () => {
    assert.deepEqual(await offered(line), values);
  });
}

test("the mesh that is asked for names is the one that the line names", async () => {
  asked.length = 0;
  await offered("lateen get -n shop --context=staging routerule r");
  assert.deepEqual(asked, [["routerule", { namespace: "shop", context: "staging" }]]);
});

test("what the scripts ask answers without a mesh, and says nothing of errors", async () => {
  const startedMs = performance.now();
  const names = await runLateen(["__complete", "--", "get", "routerule", ""], {
    env: { NATS_URL: "nats://127.0.0.1:1" },
  });
  assert.deepEqual(names, { code: 0, out: "", err: "" });
  assert.ok(performance.now() - startedMs < 2_000);
  const flags = await runLateen(["__complete", "--", "get", "--help", "--watch-o"]);
  assert.match(flags.out, /^--watch-only\tonly changes from now on$/);
});
