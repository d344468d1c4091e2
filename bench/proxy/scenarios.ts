import { CHURN } from "./churn-scenario.ts";
import type { Scenario } from "./context.ts";
import { LATENCY } from "./latency-scenario.ts";
import { type LoadScenario, loadScenario } from "./load-scenario.ts";
import { MEMORY } from "./memory-scenario.ts";
import { WORK } from "./work.ts";

const KIB = 1024;

const LOAD: readonly LoadScenario[] = [
  {
    name: "plain",
    about: "64-byte answers over 64 connections",
    work: WORK.plain,
    cpuGoal: { better: "less", goal: 1.5, stretch: 1.2 },
    envoyGoal: { better: "less", goal: 1 },
  },
  {
    name: "mtls",
    about: "the same through two proxies with mutual TLS between them",
    work: WORK.mutualTls,
    cpuGoal: { better: "less", goal: 1.6, stretch: 1.3 },
    envoyGoal: { better: "less", goal: 1 },
  },
  { name: "body-0", about: "answers without a body", work: WORK.plain, path: "/bytes/0" },
  { name: "body-1k", about: "1 KB answers", work: WORK.plain, path: `/bytes/${KIB}`, bodyBytes: KIB },
  { name: "body-64k", about: "64 KB answers", work: WORK.plain, path: `/bytes/${64 * KIB}`, bodyBytes: 64 * KIB },
  {
    name: "body-1m",
    about: "1 MB answers, streamed",
    work: WORK.plain,
    path: `/bytes/${KIB * KIB}`,
    bodyBytes: KIB * KIB,
    throughputGoal: { better: "more", goal: 0.7, stretch: 0.9 },
  },
  { name: "upload-64k", about: "64 KB request bodies", work: WORK.plain, bodyBytes: 64 * KIB, isUpload: true },
  { name: "connections-1", about: "plain over one connection", work: WORK.plain, connections: 1 },
  { name: "connections-512", about: "plain over 512 connections", work: WORK.plain, connections: 512 },
  { name: "headers-10", about: "ten headers set on each request", work: WORK.headers },
  { name: "routes-1000", about: "a thousand routes by path, asked in turn", work: WORK.routes, path: "/route/{}/item" },
];

/** Everything that the bench can measure, in the order in which it does. */
export const SCENARIOS: readonly Scenario[] = [...LOAD.map(loadScenario), LATENCY, MEMORY, CHURN];
