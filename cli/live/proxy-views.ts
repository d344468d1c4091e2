/* The views of `proxy.debug` as far as the command line shows them in tables; docs/operations.md has all of them. */

export interface ListenerRow {
  readonly name: string;
  readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
  readonly connections: number;
}

export interface RouteConfigRow {
  readonly name: string;
  readonly host: string;
  readonly ports: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly routes: readonly RouteRow[];
}

export interface RouteRow {
  readonly rule: string;
  readonly revision: number;
  readonly targets: readonly { readonly cluster: string; readonly port: number; readonly weight: number }[];
  readonly config: {
    readonly name?: string;
    readonly match?: {
      readonly headers?: readonly MatchRow[];
      readonly queryParameters?: readonly MatchRow[];
      readonly port?: number;
    };
    readonly redirect?: object;
    readonly directResponse?: { readonly status?: number };
    readonly fault?: object;
    readonly retry?: { readonly attempts?: number };
    readonly timeout?: { readonly timeoutMs?: number };
    readonly mirrors?: readonly object[];
  };
}

export interface MatchRow {
  readonly name?: string;
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
  readonly present?: boolean;
  readonly invert?: boolean;
}

export interface ClusterRow {
  readonly name: string;
  readonly policy?: string;
  readonly load_balancing: string;
  readonly circuit_breakers?: Readonly<Record<string, number>>;
  readonly host_statuses: readonly {
    readonly healthy: boolean;
    readonly active_requests: number;
    readonly connections: number;
  }[];
}

export interface EndpointRow {
  readonly cluster: string;
  readonly instance: string;
  readonly address: string;
  readonly port: number;
  readonly service_port: number;
  readonly health: string;
  readonly health_flags: readonly string[];
  readonly transport: string;
  readonly locality: string;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly active_requests: number;
  readonly connections: number;
}

export interface SecretRow {
  readonly name: string;
  readonly type: string;
  readonly status: string;
  readonly serial_number: string;
  readonly subject_alt_names: readonly string[];
  readonly valid_from: string;
  readonly expiration_time: string;
  readonly days_until_expiration: number;
}

export interface TableRow {
  readonly table: string;
  readonly key: string;
  readonly state: string;
  readonly sequence: number;
  readonly applied: { readonly sequence: number; readonly revision: number; readonly reason?: string };
}
