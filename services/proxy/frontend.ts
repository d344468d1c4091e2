import type { Clock } from "../../shared/base/index.ts";
import type { Logger } from "../../shared/obs/index.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { Connector } from "./cluster/connector.ts";
import type { ProxyConfig } from "./config.ts";
import type { IdentityMaterial } from "./identity/material.ts";
import type { Listeners } from "./listeners.ts";
import type { Directory } from "./mesh/directory.ts";
import type { Overload } from "./overload.ts";
import type { RouteConfigView } from "./plane/route-views.ts";
import type { PolicyGate } from "./policy/gate.ts";
import type { RuntimeSettings } from "./runtime-settings.ts";
import type { Share } from "./share.ts";
import type { Peer, RequestRecord } from "./stream/record.ts";
import type { Tracer } from "./trace/tracer.ts";

export type RecordSink = (record: RequestRecord) => void;

/** What both kinds of proxy are made of. */
export interface FrontendParts {
  readonly config: ProxyConfig;
  readonly self: Peer;
  readonly directory: Directory;
  readonly connector: Connector;
  readonly gate: PolicyGate;
  readonly overload: Overload;
  readonly tracer: Tracer;
  readonly settings: Pick<RuntimeSettings, "current">;
  readonly listeners: Listeners;
  readonly clock: Clock;
  /** Of the limits. */
  readonly share: Share;
  readonly log: Logger;
  /** Who wants to know of every request: metrics and reports. */
  readonly sinks: readonly RecordSink[];
  /** Who wants to know of every request once, whichever its views. */
  readonly logSinks: readonly RecordSink[];
}

/** The side of a proxy that takes requests: a sidecar's two ports, or a gateway's. */
export interface Frontend {
  /** Name -> bound port. */
  listen(): Promise<Record<string, number>>;
  /** Of the application's own ports, and of hosts that are named by requests. */
  readonly clusters: Iterable<Cluster>;
  /** Beside those of services. */
  readonly routes: readonly RouteConfigView[];
  /** The certificate has changed. */
  renew(material: IdentityMaterial): void;
  /** The listeners are closed by then. */
  close(): void;
}
