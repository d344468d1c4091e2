import { afterEach } from "node:test";
import type { RouteInput } from "../../shared/wire/index.ts";
import { Application, type Respond } from "./application.ts";
import { type Answer, RawBackend } from "./raw-backend.ts";
import { RawClient } from "./raw-client.ts";
import type { Instance } from "./test-clusters.ts";
import { TestProxy, type TestProxyOptions } from "./test-proxy.ts";

export interface FixtureProxyOptions extends Omit<TestProxyOptions, "services" | "routes"> {
  /** Of the one service. */
  readonly instances: readonly Instance[];
  /** The one route, to that service. */
  readonly route?: Omit<RouteInput, "destinations">;
}

/** What the tests of a file start, each ended after its test, the last one first. */
export interface ProxyFixture {
  proxy(options: FixtureProxyOptions): Promise<TestProxy>;
  application(respond?: Respond): Promise<Application>;
  backend(answer: Answer): Promise<RawBackend>;
  client(proxy: TestProxy): Promise<RawClient>;
  /** Runs after the test. */
  cleanUp(cleanup: () => unknown): void;
}

/** For one file: to be called at its top. */
export function proxyFixture(): ProxyFixture {
  const cleanups: (() => unknown)[] = [];
  const cleanUp = (cleanup: () => unknown): void => void cleanups.push(cleanup);
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return {
    cleanUp,
    async proxy({ instances, route = {}, ...options }) {
      const proxy = await new TestProxy({ ...options, services: { reviews: instances }, routes: [route] }).listen();
      cleanUp(() => proxy.close());
      return proxy;
    },
    async application(respond) {
      const application = await new Application(respond).listen();
      cleanUp(() => application.close());
      return application;
    },
    async backend(answer) {
      const backend = new RawBackend(answer);
      await backend.listen();
      cleanUp(() => backend.close());
      return backend;
    },
    async client(proxy) {
      const client = await RawClient.to(proxy.port);
      cleanUp(() => client.close());
      return client;
    },
  };
}
