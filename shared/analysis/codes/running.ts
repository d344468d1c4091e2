import type { CodeDefinition } from "../code.ts";
import type { LiveState } from "../world.ts";

const DAY_MS = 86_400_000;
const NONE: LiveState = { proxies: [], certificates: [], components: [], pending: [] };
const PROXY = { namespace: "default", instance: "reviews-v1-1", version: "1.0.0", stale: [], rejected: [] };
const RULE = { kind: "VirtualService", namespace: "default", name: "reviews" };

/** The time that the examples are analysed at. */
export const EXAMPLE_NOW_MS = Date.UTC(2030, 0, 1);

export const PENDING_RESOURCE: CodeDefinition = {
  code: "LAT0601",
  name: "PendingResource",
  level: "Warning",
  meaning: "A resource is accepted and not in force: it waits for what it names. What was in force before stays so.",
  remedy: "provide what it waits for, or correct the resource",
  example: {
    live: {
      ...NONE,
      pending: [{ key: RULE, reason: "no instance of reviews.default.svc.cluster.local has registered" }],
    },
    repaired: { live: NONE },
  },
};

export const PROXY_STALE: CodeDefinition = {
  code: "LAT0602",
  name: "ProxyStale",
  level: "Warning",
  meaning:
    "A proxy has not put the newest values of its tables into force. For a moment after a change that is normal; if it lasts, the proxy waits for something or cannot hear.",
  remedy: "look at it with lateen proxy-status, and at its log",
  example: {
    live: { ...NONE, proxies: [{ ...PROXY, stale: ["service default.reviews"] }] },
    repaired: { live: { ...NONE, proxies: [PROXY] } },
  },
};

export const PROXY_REJECTED: CodeDefinition = {
  code: "LAT0603",
  name: "ProxyRejected",
  level: "Error",
  meaning:
    "A proxy refuses a value that it got and stays with the one before. Mostly it is older than the Pilot that wrote it.",
  remedy: "see the reason; bring proxy and Pilot to one version",
  example: {
    live: {
      ...NONE,
      proxies: [{ ...PROXY, rejected: [{ key: "service default.reviews", reason: "pattern cannot be read" }] }],
    },
    repaired: { live: { ...NONE, proxies: [PROXY] } },
  },
};

const CERTIFICATE = { namespace: "default", instance: "reviews-v1-1", isRoot: false };

export const CERTIFICATE_EXPIRES: CodeDefinition = {
  code: "LAT0604",
  name: "CertificateExpires",
  level: "Warning",
  meaning:
    "A certificate has less than a quarter of its life left. Proxies renew theirs at half of it, so renewal fails. A root is told of when it has less than 60 days or a tenth of its life.",
  remedy: "see whether the CA answers (the proxy's log says why not); rotate a root in time",
  example: {
    live: {
      ...NONE,
      certificates: [
        { ...CERTIFICATE, validFromMs: EXAMPLE_NOW_MS - 0.9 * DAY_MS, expiresMs: EXAMPLE_NOW_MS + 0.1 * DAY_MS },
      ],
    },
    repaired: {
      live: {
        ...NONE,
        certificates: [
          { ...CERTIFICATE, validFromMs: EXAMPLE_NOW_MS - 0.4 * DAY_MS, expiresMs: EXAMPLE_NOW_MS + 0.6 * DAY_MS },
        ],
      },
    },
  },
};

export const CERTIFICATE_EXPIRED: CodeDefinition = {
  code: "LAT0605",
  name: "CertificateExpired",
  level: "Error",
  meaning:
    "A certificate has expired (or is not valid yet): no connection that needs it comes about. Wrong clocks look the same.",
  remedy: "get the CA to answer, and compare the clocks of the machines",
  example: {
    live: {
      ...NONE,
      certificates: [{ ...CERTIFICATE, validFromMs: EXAMPLE_NOW_MS - 2 * DAY_MS, expiresMs: EXAMPLE_NOW_MS - DAY_MS }],
    },
    repaired: {
      live: {
        ...NONE,
        certificates: [{ ...CERTIFICATE, validFromMs: EXAMPLE_NOW_MS, expiresMs: EXAMPLE_NOW_MS + DAY_MS }],
      },
    },
  },
};

export const VERSION_SKEW: CodeDefinition = {
  code: "LAT0606",
  name: "VersionSkew",
  level: "Warning",
  meaning:
    "A proxy or component has another version than Pilot (or, of several Pilots, the newest). What a newer one writes, an older one may not understand.",
  remedy: "finish the upgrade: the control plane first, then the proxies",
  example: {
    live: { ...NONE, proxies: [PROXY], components: [{ role: "pilot", name: "pilot-1", version: "1.1.0" }] },
    repaired: {
      live: {
        ...NONE,
        proxies: [{ ...PROXY, version: "1.1.0" }],
        components: [{ role: "pilot", name: "pilot-1", version: "1.1.0" }],
      },
    },
  },
};

export const NO_HEALTHY_INSTANCE: CodeDefinition = {
  code: "LAT0607",
  name: "NoHealthyInstance",
  level: "Warning",
  meaning:
    "No instance of a service says that it is healthy, or it has none at all. Requests get 503, or go to instances that may not answer.",
  remedy: "start instances, or look at their health checks (HEALTH_URL)",
  example: {
    registered: ["reviews.default 9080/http version=v1 unhealthy"],
    repaired: { registered: ["reviews.default 9080/http version=v1"] },
  },
};

export const MIXED_PROTOCOLS: CodeDefinition = {
  code: "LAT0608",
  name: "MixedProtocols",
  level: "Warning",
  meaning: "Instances of one service declare different protocols for one port. What most of them say counts for all.",
  remedy: "start all instances with the same MESH_PORTS",
  example: {
    registered: ["reviews.default 9080/http version=v1", "reviews.default 9080/tcp version=v2"],
    repaired: { registered: ["reviews.default 9080/http version=v1", "reviews.default 9080/http version=v2"] },
  },
};
