import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { runLateen } from "../harness/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "lateen-validate-"));
after(() => rmSync(folder, { recursive: true }));

const GOOD = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}], mirror: {host: reviews}, mirrorPercent: 5}]
`;
const BAD = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v_1}], trafficPolicy: {outlierDetection: {interval: soon}}}
`;
const UNREADABLE = "\n{ nothing: [\n";

const lateen = (args: readonly string[], stdin = "") => runLateen(args, { env: { HOME: folder }, cwd: folder, stdin });

interface Verdict {
  readonly file: string;
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly valid: boolean;
  readonly errors: readonly { readonly path: string; readonly reason: string; readonly remedy: string }[];
  readonly warnings: readonly { readonly path: string }[];
}

describe("lateen validate", () => {
  test("ends with 0 and tells warnings when all is valid", async () => {
    const { code, out, err } = await lateen(["validate", "-f", "-"], GOOD);
    assert.equal(code, 0, err);
    assert.match(
      out,
      /^-: virtualservice\/prod\/reviews: valid\n {2}warning: spec\.http\[0\]\.mirrorPercent: deprecated/,
    );
    assert.match(out, /1 document, all valid$/);
  });

  test("takes a folder, and with -R all that is below it", async () => {
    mkdirSync(join(folder, "rules/more"), { recursive: true });
    writeFileSync(join(folder, "rules/more/good.yaml"), GOOD);
    const shallow = await lateen(
      ["validate", "-f", "rules"].map((word) => (word === "rules" ? join(folder, word) : word)),
    );
    assert.equal(shallow.code, 2);
    assert.match(shallow.err, /no \.yaml, \.yml or \.json file in .*; -R looks into the folders below it too/);
    const deep = await lateen(["validate", "-R", "-f", join(folder, "rules")]);
    assert.equal(deep.code, 0, deep.err);
    assert.match(deep.out, /rules\/more\/good\.yaml: virtualservice\/prod\/reviews: valid/);
  });

  test("ends with 1 and names every fault with its remedy", async () => {
    const { code, out } = await lateen(["validate", "-f", "-"], BAD);
    assert.equal(code, 1);
    assert.match(out, /-: destinationrule\/default\/reviews: invalid/);
    assert.match(out, /spec\.subsets\[0\]\.name: "v_1" is not a DNS label/);
    assert.match(out, /spec\.trafficPolicy\.outlierDetection\.interval: must be a duration/);
    assert.match(out, /1 document, 1 not valid$/);
  });

  test("passes over objects of Kubernetes, which stand beside rules in many files", async () => {
    const service = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {ports: [{port: 80}]}\n";
    const { code, out } = await lateen(["validate", "-f", "-"], `${service}---\n${GOOD}`);
    assert.equal(code, 0);
    assert.match(out, /-: service\/default\/reviews: valid\n {2}warning: kind: an object of Kubernetes: not judged/);
    assert.match(out, /2 documents, all valid$/);
  });

  test("writes one entry a document as JSON, from all files of a folder", async () => {
    writeFileSync(join(folder, "a.yaml"), `${GOOD}---${BAD}---${UNREADABLE}`);
    writeFileSync(join(folder, "b.json"), JSON.stringify({ kind: "Nothing" }));
    const { code, out } = await lateen(["validate", "-f", folder, "-o", "json"]);
    assert.equal(code, 1);
    const verdicts = JSON.parse(out) as Verdict[];
    assert.deepEqual(
      verdicts.map(({ file, document, kind, namespace, name, valid }) => [
        file,
        document,
        kind,
        namespace,
        name,
        valid,
      ]),
      [
        [join(folder, "a.yaml"), 0, "VirtualService", "prod", "reviews", true],
        [join(folder, "a.yaml"), 1, "DestinationRule", "default", "reviews", false],
        [join(folder, "a.yaml"), 2, "", "", "", false],
        [join(folder, "b.json"), 0, "Nothing", "default", "", false],
      ],
    );
    assert.deepEqual(
      verdicts[0]?.warnings.map(({ path }) => path),
      ["spec.http[0].mirrorPercent"],
    );
    for (const { valid, errors } of verdicts) {
      assert.equal(valid, errors.length === 0);
      for (const { reason, remedy } of errors) assert.ok(reason !== "" && remedy !== "");
    }
  });

  test("puts documents that name no namespace into the one asked for", async () => {
    const { out } = await lateen(["validate", "-f", "-", "-n", "shop", "-o", "json"], BAD);
    assert.equal((JSON.parse(out) as Verdict[])[0]?.namespace, "shop");
  });

  test("ends with 2 when there is nothing to judge", async () => {
    assert.equal((await lateen(["validate"])).code, 2);
    assert.equal((await lateen(["validate", "-f", join(folder, "none.yaml")])).code, 2);
    const empty = await lateen(["validate", "-f", "-"], "# nothing\n");
    assert.equal(empty.code, 2);
    assert.match(empty.err, /no documents/);
  });

  test("says of a mesh's kinds of every layer what it knows", async () => {
    const rule =
      "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: a}\nspec: {match: 'no.such == 1'}\n";
    const { out, code } = await lateen(["validate", "-f", "-"], rule);
    assert.equal(code, 1);
    assert.match(out, /spec\.match/);
  });
});

describe("lateen explain-kind", () => {
  test("lists the kinds", async () => {
    const { out, code } = await lateen(["explain-kind"]);
    assert.equal(code, 0);
    assert.match(out, /^VirtualService +vs +networking\.istio\.io\/v1 +Routes /m);
    assert.match(out, /^denier +config\.istio\.io\/v1alpha2/m);
  });

  test("tells of a kind, a field, a field of a list's items, in either spelling", async () => {
    assert.match((await lateen(["explain-kind", "gw"])).out, /^KIND: {5}Gateway \(gateways, gw\)/);
    const field = (await lateen(["explain-kind", "VirtualService.spec.http[0].retries.per_try_timeout"])).out;
    assert.match(field, /FIELD: {4}http\.retries\.perTryTimeout <duration>/);
    assert.match(field, /Default: as long as the request/);
    const refused = (await lateen(["explain-kind", "dr.trafficPolicy.tls.mode"])).out;
    assert.match(refused, /MUTUAL is not supported yet: /);
    assert.match(
      (await lateen(["explain-kind", "se", "--recursive"])).out,
      /^ {2}ports <list of object>\n {4}number <int32> required/m,
    );
  });

  test("gives the schema as JSON", async () => {
    const { out } = await lateen(["explain-kind", "sidecar.egress", "-o", "json"]);
    const told = JSON.parse(out) as { kind: string; path: string; field: { type: { type: string } } };
    assert.deepEqual([told.kind, told.path, told.field.type.type], ["Sidecar", "egress", "list"]);
    const all = JSON.parse((await lateen(["explain-kind", "-o", "json"])).out) as { kind: string }[];
    assert.ok(all.some(({ kind }) => kind === "MeshConfig"));
  });

  test("says what was meant when there is no such kind or field", async () => {
    const kind = await lateen(["explain-kind", "virtualservic"]);
    assert.deepEqual([kind.code, /did you mean virtualservice\?/.test(kind.err)], [2, true]);
    const field = await lateen(["explain-kind", "vs.http.retris"]);
    assert.deepEqual([field.code, /did you mean retries\?/.test(field.err)], [2, true]);
    assert.match((await lateen(["explain-kind", "vs.http.timeout.x"])).err, /has no fields/);
  });
});
