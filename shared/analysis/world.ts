import type { FieldError, Labels, ParsedResource, ResourceKey } from "../model/index.ts";

/** All that an analysis looks at; it knows neither files nor the bus. */
export interface World {
  readonly resources: readonly AnalysedResource[];
  /** Undefined: nothing is known of them, so nothing is said about hosts of services. */
  readonly services: readonly KnownService[] | undefined;
  /** Beside those of resources and services. */
  readonly namespaces: readonly string[];
  /** Undefined: the mesh does not run, or was not asked. */
  readonly live: LiveState | undefined;
  readonly nowMs: number;
}

export interface AnalysedResource {
  readonly key: ResourceKey;
  /** Undefined when it is not valid. */
  readonly parsed: ParsedResource | undefined;
  readonly errors: readonly FieldError[];
  /** The file it stands in. */
  readonly origin?: string;
}

export interface KnownService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly KnownPort[];
  readonly instances: readonly KnownInstance[];
}

export interface KnownPort {
  readonly number: number;
  /** In lower case: http, http2, grpc, https, tcp...; "" when nobody says, which is taken for http. */
  readonly protocol: string;
  /** "" where ports have no names. */
  readonly name: string;
}

export interface KnownInstance {
  readonly name: string;
  readonly labels: Labels;
  readonly healthy: boolean;
  /** Undefined: it may be one. */
  readonly gateway: boolean | undefined;
  /** Without a sidecar. */
  readonly plaintext: boolean;
  readonly ports: readonly { readonly number: number; readonly protocol: string }[];
}

/** A running mesh, as its parts tell of themselves. */
export interface LiveState {
  readonly proxies: readonly ProxyState[];
  readonly certificates: readonly CertificateState[];
  /** Pilots, Mixers and CAs. */
  readonly components: readonly ComponentState[];
  /** Accepted and not in force. */
  readonly pending: readonly { readonly key: ResourceKey; readonly reason: string }[];
}

export interface ProxyState {
  readonly namespace: string;
  readonly instance: string;
  readonly version: string;
  /** Keys of tables whose newest value is not in force here: `<table> <key>`. */
  readonly stale: readonly string[];
  readonly rejected: readonly { readonly key: string; readonly reason: string }[];
}

export interface CertificateState {
  /** Whose proxy has it. */
  readonly namespace: string;
  readonly instance: string;
  readonly isRoot: boolean;
  readonly validFromMs: number;
  readonly expiresMs: number;
}

export interface ComponentState {
  /** pilot, mixer or ca. */
  readonly role: string;
  readonly name: string;
  readonly version: string;
}
