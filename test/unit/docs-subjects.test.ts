import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { accountLinks, Subjects, TABLES, TELEMETRY_KINDS, WORKLOAD_TABLES } from "../../shared/wire/index.ts";
import { busUsers, namesShown, STAND_INS } from "../docs/permission-tables.ts";

const page = readFileSync(new URL("../../../docs/subjects.md", import.meta.url), "utf8");
const subjects = new Subjects("mesh");

const { namespace, serviceAccount, service, instance, proxy, replica, shard, kind, name, key } = STAND_INS;
const workload = { namespace, serviceAccount };
const ofProxy = { ...workload, proxy };
const registration = { ...workload, service, instance };
/** A bucket of some table; the tables' own names are listed where they differ. */
const ofAnyTable = (text: string) => text.replaceAll("service", "<table>");

/** What each method of Subjects builds, with stand-ins for names. A new method fails the test until it stands here. */
const BUILT: Readonly<Record<string, readonly string[]>> = {
  bucket: [ofAnyTable(subjects.bucket("service")), subjects.bucket("leader")],
  bucketStream: [ofAnyTable(subjects.bucketStream("service")), subjects.bucketStream("leader")],
  bucketSubject: [ofAnyTable(subjects.bucketSubject("service", key)), subjects.bucketSubject("leader", name)],
  directGet: [ofAnyTable(subjects.directGet("service", key)), subjects.directGet("leader", name)],
  table: [
    subjects.table("config", `${kind}.${namespace}.${name}`),
    subjects.table("service", `${namespace}.${service}`),
    subjects.table("endpoints", `${namespace}.${service}.${shard}`),
    subjects.table("hosts", namespace),
    subjects.table("gateway", `${namespace}.${name}`),
    subjects.table("workload", namespace),
    subjects.table("plan", `${namespace}.${service}`),
    subjects.table("plan", "default"),
    subjects.table("trust", "bundle"),
  ],
  head: [subjects.head("service").replace("service", "<table>"), subjects.head("*")],
  sync: [subjects.sync("service", key).replace("service", "<table>")],
  syncStatus: [subjects.syncStatus()],
  componentStatus: [subjects.componentStatus()],
  config: (["apply", "submit", "delete", "get", "list", "history", "rollback", "pending"] as const).map((verb) =>
    subjects.config(verb),
  ),
  configKey: [subjects.configKey(kind, namespace, name)],
  configRejected: [subjects.configRejected(kind, namespace, name)],
  allConfigRejected: [subjects.allConfigRejected()],
  submitStream: [subjects.submitStream()],
  registry: (["register", "heartbeat", "deregister"] as const).map((verb) =>
    subjects.registry({ verb, ...registration }),
  ),
  allRegistry: [subjects.allRegistry()],
  registryList: [subjects.registryList()],
  policyCheck: [subjects.policyCheck(ofProxy)],
  allPolicyChecks: [subjects.allPolicyChecks()],
  report: [subjects.report(ofProxy)],
  reportTo: [subjects.reportTo(ofProxy, replica)],
  allReports: [subjects.allReports()],
  allReportsTo: [subjects.allReportsTo(replica)],
  mixerCheck: [subjects.mixerCheck()],
  mixerReport: [subjects.mixerReport()],
  proxyStatus: [subjects.proxyStatus(ofProxy)],
  allProxyStatus: [subjects.allProxyStatus()],
  proxyDebug: [subjects.proxyDebug(ofProxy)],
  proxyTap: [subjects.proxyTap(ofProxy)],
  caSign: [subjects.caSign(workload)],
  allCaSign: [subjects.allCaSign()],
  telemetry: TELEMETRY_KINDS.map((each) => subjects.telemetry(each, namespace, service)),
  allTelemetry: [subjects.allTelemetry()],
  queue: (["pilot", "mixer", "ca"] as const).map((group) => subjects.queue(group)),
  inbox: [subjects.inbox(namespace, serviceAccount, proxy), subjects.inbox(name)],
  redisKey: [subjects.redisKey(key)],
};

const built = new Set(Object.values(BUILT).flat().map(namesShown));

test("every method of Subjects that builds a name is covered", () => {
  const methods = Object.getOwnPropertyNames(Subjects.prototype).filter(
    (method) => method !== "constructor" && !method.startsWith("parse"),
  );
  assert.deepEqual(methods.sort(), Object.keys(BUILT).sort());
});

test("every subject that the code builds stands in docs/subjects.md", () => {
  const missing = [...built].filter((subject) => !page.includes(`\`${subject}\``));
  assert.deepEqual(missing, []);
});

test("every table has its subject in docs/subjects.md", () => {
  const named = new Set(BUILT["table"]?.map((subject) => subjects.parseTable(subject).table));
  assert.deepEqual([...named].sort(), [...TABLES].sort());
  for (const table of WORKLOAD_TABLES) assert.ok(page.includes(`| broadcast | \`mesh.${table}.`), table);
});

test("docs/subjects.md names no subject that the code does not build", () => {
  const permitted = [
    ...busUsers().flatMap(({ publish, subscribe }) => [...publish, ...subscribe]),
    ...accountLinks(subjects).map(({ subject }) => subject),
  ];
  const known = new Set([...built, ...permitted.map(namesShown)]);
  const named = [...page.matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
  const isSubject = (text: string) => /^(?:mesh[.:-]|\$JS|\$KV|KV_|_INBOX|_R_)/.test(text);
  assert.deepEqual(
    named.filter((text) => isSubject(text) && !known.has(text)),
    [],
  );
});
