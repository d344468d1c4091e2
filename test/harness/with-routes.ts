import type { RouteInput } from "../../shared/wire/index.ts";
import { Application, type Respond } from "./application.ts";
import { TestProxy, type TestProxyOptions } from "./test-proxy.ts";

/** Runs `use` with a caller's sidecar for the routes of `reviews` and an application a service, and closes all. */
export async function withRoutes(
  routes: readonly RouteInput[],
  respond: Readonly<Record<string, Respond>>,
  use: (proxy: TestProxy, applications: Readonly<Record<string, Application>>) => Promise<void>,
  options: Omit<TestProxyOptions, "services" | "routes"> = {},
): Promise<void> {
  const applications: Record<string, Application> = {};
  for (const [service, answer] of Object.entries(respond)) {
    applications[service] = await new Application(answer).listen();
  }
  const services = Object.fromEntries(Object.entries(applications).map(([service, { port }]) => [service, [port]]));
  const proxy = await new TestProxy({ stack: "sidecar", ...options, services, routes }).listen();
  try {
    await use(proxy, applications);
  } finally {
    await proxy.close();
    await Promise.all(Object.values(applications).map((application) => application.close()));
  }
}
