import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgumentError } from "../../shared/base/index.ts";
import {
  accountLinks,
  natsServerConfig,
  Subjects,
  standardUsers,
  storeUser,
  WORKLOAD_TABLES,
  workloadUser,
  workloadUserName,
} from "../../shared/wire/index.ts";

const subjects = new Subjects("mesh");
const reviews = { namespace: "default", serviceAccount: "reviews", service: "reviews" };
const users = standardUsers({ subjects, workloads: [reviews] });

test("each component has one user in MESH and one in STORE, of one password", () => {
  for (const name of ["pilot", "mixer", "ca"]) {
    const mesh = users.find(({ user }) => user === name);
    const store = users.find(({ user }) => user === `${name}-store`);
    assert.equal(mesh?.account, "MESH");
    assert.equal(store?.account, "STORE");
    assert.equal(mesh?.password, store?.password);
  }
});

test("no workload is in account STORE, and only a STORE user may call the JetStream API beyond single-key reads", () => {
  for (const user of users) {
    if (user.account === "STORE") {
      assert.match(user.user, /-store$/);
      continue;
    }
    for (const subject of user.publish.filter((text) => text.startsWith("$")))
      assert.match(subject, /^\$JS\.API\.DIRECT\.GET\.KV_mesh-[a-z]+\.\$KV\./);
  }
});

test("nobody but its owner may publish to a table, a bucket or a head", () => {
  for (const user of users.filter(({ account }) => account !== "STORE")) {
    for (const subject of user.publish) {
      assert.doesNotMatch(subject, /^\$KV/);
      assert.doesNotMatch(subject, /^mesh\.(head|config\.changed)\./);
      for (const table of WORKLOAD_TABLES)
        assert.ok(!subject.startsWith(subjects.table(table, "")), `${user.user}: ${subject}`);
      assert.notEqual(subject, ">");
      assert.notEqual(subject, "mesh.>");
    }
  }
});

test("each table has exactly one writing component", () => {
  for (const table of [...WORKLOAD_TABLES, "config"] as const) {
    const writers = (["pilot", "mixer", "ca"] as const).filter((component) =>
      storeUser(subjects, component).publish.includes(subjects.bucketSubject(table, ">")),
    );
    assert.equal(writers.length, 1, table);
  }
});

test("a workload publishes only subjects that carry its own identity", () => {
  const { publish } = workloadUser(subjects, reviews);
  for (const subject of publish) {
    if (subject === "_R_.>" || subject.startsWith("$JS.API.DIRECT.GET.")) continue;
    assert.match(subject, /\.default\.reviews(\.|$)/);
  }
});

test("two workloads never share a user, whatever their names", () => {
  const names = ["a", "a.b", "b", "a=2Eb", ""];
  const seen = new Set<string>();
  for (const namespace of names)
    for (const serviceAccount of names) seen.add(workloadUserName({ namespace, serviceAccount, service: "s" }));
  assert.equal(seen.size, names.length ** 2);
});

test("only account STORE has JetStream, and no workload table is importable as the bucket itself", () => {
  const config = natsServerConfig({ subjects, listen: "127.0.0.1:-1", storeDir: "/tmp/x", users });
  assert.equal(config.match(/jetstream: enabled/g)?.length, 1);
  for (const link of accountLinks(subjects)) assert.doesNotMatch(link.subject, /^\$KV|^\$JS\.API\.(STREAM|CONSUMER)/);
});

test("strings of the server configuration cannot break out of their quotes", () => {
  const config = natsServerConfig({
    subjects,
    listen: "127.0.0.1:-1",
    storeDir: '/tmp/a"b\\c\n}',
    users: [{ ...workloadUser(subjects, reviews), password: 'x" } \n $ü' }],
  });
  assert.ok(config.includes('store_dir: "/tmp/a\\"b\\\\c\\x0a}"'));
  assert.ok(config.includes('password: "x\\" } \\x0a $\\xc3\\xbc"'));
});

test("users that the server would misread are refused", () => {
  const user = workloadUser(subjects, reviews);
  const options = { subjects, listen: "127.0.0.1:-1", storeDir: "/tmp/x" };
  for (const password of ["", "$2a$11$abc"]) {
    assert.throws(() => natsServerConfig({ ...options, users: [{ ...user, password }] }), InvalidArgumentError);
  }
  const twice = [
    { ...user, password: "a" },
    { ...user, password: "b" },
  ];
  assert.throws(() => natsServerConfig({ ...options, users: twice }), InvalidArgumentError);
});

test("passwords are random, and given ones are kept", () => {
  const again = standardUsers({ subjects, passwords: { pilot: "secret" } });
  assert.equal(again.find(({ user }) => user === "pilot-store")?.password, "secret");
  assert.equal(new Set(users.map(({ password }) => password)).size, users.length - 3);
});
