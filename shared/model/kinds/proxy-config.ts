import { defineKind } from "../define-kind.ts";
import { NETWORKING_API_VERSIONS } from "../resource.ts";
import { int32, string } from "../scalars.ts";
import { checked, field, map, object } from "../schema.ts";
import type { ProxyConfigSpec } from "../specs-networking.ts";
import { without } from "./mesh-proxy-config.ts";
import { workloadSelector } from "./networking.ts";

const IMAGE = "name the image where the proxy is started";

/** ProxyConfig: how proxies are started. A running proxy cannot be given any of it. */
export const PROXY_CONFIG = defineKind<ProxyConfigSpec>({
  kind: "ProxyConfig",
  plural: "proxyconfigs",
  apiVersions: NETWORKING_API_VERSIONS,
  class: "traffic",
  doc: "How the proxies of some workloads are started. Read and judged only: a proxy is started with settings of its own.",
  schema: checked(
    object({
      selector: field(workloadSelector("matchLabels"), "Which workloads.", { default: "all of the namespace" }),
      concurrency: without(int32({ min: 0 }), "Worker processes.", "set CONCURRENCY where the proxy is started"),
      environmentVariables: without(map(string()), "Variables of the proxy.", "set them where the proxy is started"),
      image: without(object({ imageType: field(string(), "Sort of the image.") }), "The proxy's image.", IMAGE),
    }),
    (value, at): ProxyConfigSpec => {
      const says = ["concurrency", "environmentVariables", "image"];
      if (!says.some((name) => at.has(name)) && at.clean()) at.warn("has no effect", "remove it");
      return { workloadLabels: value.selector };
    },
  ),
});
