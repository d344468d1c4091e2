import { join } from "node:path";
import type { Demo } from "./demo.ts";
import { WORKLOADS } from "./topology.ts";

export const DEMO_HELP = `usage: npm run demo [-- options]
  --check      run the tour unattended; exit code 0 when every step holds
  --step <n>   with --check: only this step (may be repeated)
  --dir <path> where state, logs and data go (default: .demo)`;

/** What is where, and what to try. `dir`: where it runs, if that is not where `lateen` looks for it by itself. */
export function printTable(demo: Demo, seconds: string, dir?: string): void {
  const { gatewayUrl, natsUrl, redisUrl, sidecarPorts } = demo.topology;
  const rows = [
    ["product page", `${gatewayUrl}/productpage`],
    ["NATS", natsUrl],
    ["Redis", redisUrl],
    ...WORKLOADS.map(({ name }) => [`${name} sidecar`, `http://127.0.0.1:${sidecarPorts.get(name)?.admin} (admin)`]),
    ["logs", demo.logDir],
  ];
  const width = Math.max(...rows.map(([title = ""]) => title.length));
  console.log(`\nUp in ${seconds} s.\n`);
  for (const [title = "", where = ""] of rows) console.log(`  ${title.padEnd(width)}  ${where}`);
  console.log(`
Try, in another terminal:
${dir === undefined ? "" : `  export LATEEN_CONTEXT_FILE=${join(dir, "context.json")}\n`}  curl -s ${gatewayUrl}/api/v1/products/0/reviews
  npx lateen apply --wait -f samples/bookinfo/rules/route-rule-all-v1.yaml
  npx lateen get routerule reviews-default -o yaml
  npx lateen proxy-status
  npx lateen telemetry
  npx lateen delete -f samples/bookinfo/rules/route-rule-all-v1.yaml

Ctrl-C ends everything.`);
}
