import { stringify } from "yaml";
import { renderTable } from "../render.ts";
import type {
  ClusterRow,
  EndpointRow,
  ListenerRow,
  MatchRow,
  RouteConfigRow,
  RouteRow,
  SecretRow,
  TableRow,
} from "./proxy-views.ts";

/* What one proxy runs on, as tables. */

export function renderListeners(rows: readonly ListenerRow[]): string {
  return renderTable(
    ["NAME", "ADDRESS", "PORT", "CONNECTIONS"],
    rows.map(({ name, local_address: { socket_address: at }, connections }) => [
      name,
      at.address,
      String(at.port_value),
      String(connections),
    ]),
  );
}

/** A row a route, in the order in which requests meet them. */
export function renderRoutes(rows: readonly RouteConfigRow[]): string {
  return renderTable(
    ["NAME", "PORTS", "RULE", "MATCH", "TO", "MORE"],
    rows.flatMap(({ name, ports, routes }) =>
      routes.map((route, i) => [
        i === 0 ? name : "",
        i === 0 ? portsText(ports) : "",
        route.config.name === undefined ? route.rule : `${route.rule} (${route.config.name})`,
        matchText(route),
        destinationText(route),
        moreText(route),
      ]),
    ),
  );
}

function portsText(ports: Readonly<Record<string, string>>): string {
  return Object.entries(ports)
    .map(([port, protocol]) => `${port}/${protocol}`)
    .join(",");
}

function matchText({ config: { match = {} } }: RouteRow): string {
  const parts = [
    ...(match.headers ?? []).map(conditionText),
    ...(match.queryParameters ?? []).map((each) => `?${conditionText(each)}`),
    ...(match.port === undefined ? [] : [`port ${match.port}`]),
  ];
  return parts.length === 0 ? "*" : parts.join(" ");
}

function conditionText({ name = "", exact, prefix, regex, invert }: MatchRow): string {
  const value = exact ?? (prefix === undefined ? (regex === undefined ? "*" : `~${regex}`) : `${prefix}*`);
  return `${name}${invert === true ? "!=" : "="}${value}`;
}

function destinationText({ targets, config }: RouteRow): string {
  if (config.redirect !== undefined) return "redirect";
  if (config.directResponse !== undefined) return `answers ${config.directResponse.status ?? 200}`;
  const isSplit = targets.length > 1;
  return targets
    .map(({ cluster, port, weight }) => `${isSplit ? `${weight}% ` : ""}${cluster}${port === 0 ? "" : `:${port}`}`)
    .join(", ");
}

function moreText({ config: { timeout, retry, fault, mirrors } }: RouteRow): string {
  return [
    ...(timeout?.timeoutMs === undefined ? [] : [`timeout ${timeout.timeoutMs}ms`]),
    ...(retry === undefined ? [] : [`retries ${retry.attempts ?? 0}`]),
    ...(fault === undefined ? [] : ["fault"]),
    ...(mirrors === undefined || mirrors.length === 0 ? [] : ["mirror"]),
  ].join(", ");
}

export function renderClusters(rows: readonly ClusterRow[]): string {
  return renderTable(
    ["CLUSTER", "HEALTHY", "REQUESTS", "CONNECTIONS", "BALANCING", "LIMITS", "POLICY"],
    rows.map(({ name, policy, load_balancing: balancing, circuit_breakers: limits = {}, host_statuses: hosts }) => [
      name,
      `${hosts.filter(({ healthy }) => healthy).length}/${hosts.length}`,
      String(hosts.reduce((sum, host) => sum + host.active_requests, 0)),
      String(hosts.reduce((sum, host) => sum + host.connections, 0)),
      balancing,
      Object.entries(limits)
        .map(([limit, value]) => `${limit}=${value}`)
        .join(",") || "-",
      policy || "-",
    ]),
  );
}

export function renderEndpoints(rows: readonly EndpointRow[]): string {
  return renderTable(
    ["ENDPOINT", "STATUS", "INSTANCE", "CLUSTER", "WEIGHT", "LOCALITY", "TRANSPORT", "REQUESTS"],
    rows.map((row) => [
      `${row.address}:${row.port}`,
      row.health_flags.length === 0 ? row.health : `${row.health} (${row.health_flags.join(", ")})`,
      row.instance,
      row.cluster,
      String(row.weight),
      row.locality || "-",
      row.transport,
      String(row.active_requests),
    ]),
  );
}

export function renderSecrets(rows: readonly SecretRow[]): string {
  return renderTable(
    ["NAME", "TYPE", "STATUS", "NOT BEFORE", "NOT AFTER", "DAYS", "SERIAL", "IDENTITY"],
    rows.map((row) => [
      row.name,
      row.type,
      row.status,
      row.valid_from,
      row.expiration_time,
      String(row.days_until_expiration),
      row.serial_number,
      row.subject_alt_names.join(",") || "-",
    ]),
  );
}

export function renderTables(rows: readonly TableRow[]): string {
  return renderTable(
    ["TABLE", "KEY", "STATE", "SEQUENCE", "IN FORCE", "REVISION", "REASON"],
    rows.map(({ table, key, state, sequence, applied }) => [
      table,
      key,
      state,
      String(sequence),
      String(applied.sequence),
      String(applied.revision),
      applied.reason ?? "",
    ]),
  );
}

export function renderPlain(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd();
}
