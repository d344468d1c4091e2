import assert from "node:assert/strict";
import { test } from "node:test";
import { QuotaRules } from "../../services/proxy/policy/quota-rules.ts";
import type { AttributeValue } from "../../shared/model/index.ts";
import { type Input, Plan } from "../../shared/wire/index.ts";

type RulesInput = NonNullable<Input<typeof Plan>["quotas"]>;

function asked(quotas: RulesInput, attributes: Record<string, AttributeValue>): Record<string, number> {
  const rules = new QuotaRules(Plan.decode(Plan.encode({ quotas })).quotas);
  const requests = rules.requestsFor((reference) => attributes[reference]);
  return Object.fromEntries(requests.map(({ quota, amount }) => [quota ?? "", amount ?? 0]));
}

const charge = [{ quota: "rate", charge: 1 }];

test("a rule without matches always applies", () => {
  assert.deepEqual(asked([{ charges: charge }], {}), { rate: 1 });
});

test("all clauses of one match must hold, and one match is enough", () => {
  const quotas: RulesInput = [
    {
      matches: [
        {
          clauses: [
            { attribute: "request.path", prefix: "/api" },
            { attribute: "request.method", exact: "GET" },
          ],
        },
        { clauses: [{ attribute: "request.headers[x-user]", regex: "j.*n" }] },
      ],
      charges: charge,
    },
  ];
  assert.deepEqual(asked(quotas, { "request.path": "/api/v1", "request.method": "GET" }), { rate: 1 });
  assert.deepEqual(asked(quotas, { "request.path": "/api/v1", "request.method": "POST" }), {});
  assert.deepEqual(asked(quotas, { "request.headers[x-user]": "jason" }), { rate: 1 });
  assert.deepEqual(asked(quotas, { "request.headers[x-user]": "jasons" }), {}, "a regex must match the whole value");
});

test("a clause needs its attribute to be there as a string", () => {
  const quotas: RulesInput = [{ matches: [{ clauses: [{ attribute: "request.size", prefix: "" }] }], charges: charge }];
  assert.deepEqual(asked(quotas, {}), {});
  assert.deepEqual(asked(quotas, { "request.size": 5 }), {});
});

test("the charges of all rules that apply are due together, and one quota's are added up", () => {
  const quotas: RulesInput = [
    {
      charges: [
        { quota: "rate", charge: 2 },
        { quota: "none", charge: 0 },
      ],
    },
    {
      charges: [
        { quota: "rate", charge: 3 },
        { quota: "other", charge: 1 },
      ],
    },
    { matches: [{ clauses: [{ attribute: "request.path", exact: "/x" }] }], charges: [{ quota: "x", charge: 1 }] },
  ];
  assert.deepEqual(asked(quotas, { "request.path": "/y" }), { rate: 5, other: 1 });
});

test("a clause that says nothing, or a regex that is none, never holds", () => {
  assert.deepEqual(
    asked([{ matches: [{ clauses: [{ attribute: "request.path" }] }], charges: charge }], { "request.path": "/" }),
    {},
  );
  const broken: RulesInput = [{ matches: [{ clauses: [{ attribute: "request.path", regex: "*" }] }], charges: charge }];
  assert.deepEqual(asked(broken, { "request.path": "*" }), {});
});
