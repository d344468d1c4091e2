import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "../base/index.ts";
import {
  type Account,
  accountLinks,
  type BusUser,
  type Component,
  componentUser,
  operatorUser,
  storeUser,
  type WorkloadUser,
  workloadUser,
} from "./permissions.ts";
import type { Subjects } from "./subjects.ts";

/*
 * The text of a nats-server configuration, made from the permission table: nobody writes rights by hand. It uses
 * only what nats-server 2.9 knows. All users live under `accounts`: with users elsewhere and a system account declared, 2.9.10
 * lets anonymous clients in. No `allow_responses`, no deny lists (both have holes), no monitoring on a public address.
 */

export interface BusLogin extends BusUser {
  readonly password: string;
}

export interface ServerConfigOptions {
  readonly subjects: Subjects;
  /** `host:port`; port -1 is any free one. */
  readonly listen: string;
  /** Where JetStream keeps its files. */
  readonly storeDir: string;
  readonly users: readonly BusLogin[];
  /** `host:port` of the monitoring endpoints, which know no password: keep it on loopback. Default: none. */
  readonly http?: string;
  /** Bytes that may wait for one client before it is cut off as too slow; default 16 MiB. */
  readonly maxPendingBytes?: number;
  /** Default 2000. */
  readonly writeDeadlineMs?: number;
  /** Default 20 000. */
  readonly pingIntervalMs?: number;
}

export interface StandardUsersOptions {
  readonly subjects: Subjects;
  readonly workloads?: readonly WorkloadUser[];
  /** User name -> password; random where not named. A component's STORE user has its MESH user's password. */
  readonly passwords?: Readonly<Record<string, string>>;
  /** Names of people's users; default one, `operator`. */
  readonly operators?: readonly string[];
}

const COMPONENTS: readonly Component[] = ["pilot", "mixer", "ca"];
const ACCOUNTS: readonly Account[] = ["STORE", "MESH", "OPS"];

/** One user a component (and its twin in STORE), one a workload, and the operators. */
export function standardUsers({
  subjects,
  workloads = [],
  passwords = {},
  operators = ["operator"],
}: StandardUsersOptions): BusLogin[] {
  const passwordOf = (user: string) =>
    (Object.hasOwn(passwords, user) ? passwords[user] : undefined) ?? randomPassword();
  const logins: BusLogin[] = [];
  for (const component of COMPONENTS) {
    const user = componentUser(subjects, component);
    const password = passwordOf(user.user);
    logins.push({ ...user, password }, { ...storeUser(subjects, component), password });
  }
  for (const operator of operators) {
    const user = operatorUser(subjects, operator);
    logins.push({ ...user, password: passwordOf(user.user) });
  }
  for (const workload of workloads) {
    const user = workloadUser(subjects, workload);
    if (logins.some((login) => login.user === user.user)) continue;
    logins.push({ ...user, password: passwordOf(user.user) });
  }
  return logins;
}

/** 192 random bits, in letters that need no quoting anywhere. */
export function randomPassword(): string {
  return randomBytes(24).toString("hex");
}

/** The whole configuration file. Throws InvalidArgumentError for a user that the server would misread. */
export function natsServerConfig(options: ServerConfigOptions): string {
  const {
    subjects,
    listen,
    storeDir,
    users,
    http,
    maxPendingBytes = 16 * 1024 * 1024,
    writeDeadlineMs = 2_000,
    pingIntervalMs = 20_000,
  } = options;
  checkUsers(users);
  const lines = [
    `# Made from the permission table of mesh ${quote(subjects.prefix)}; do not edit.`,
    `listen: ${quote(listen)}`,
    `server_name: ${quote(`${subjects.prefix}-nats`)}`,
    ...(http === undefined ? [] : [`http: ${quote(http)}`]),
    `write_deadline: ${quote(`${writeDeadlineMs}ms`)}`,
    `max_pending: ${maxPendingBytes}`,
    `ping_interval: ${quote(`${pingIntervalMs}ms`)}`,
    "ping_max: 2",
    "max_payload: 1048576",
    "authorization { timeout: 5 }",
    `jetstream { store_dir: ${quote(storeDir)} }`,
    "accounts {",
    ...ACCOUNTS.flatMap((account) => accountLines(subjects, account, users)),
    "  SYS: {",
    "  }",
    "}",
    "system_account: SYS",
  ];
  return `${lines.join("\n")}\n`;
}

function accountLines(subjects: Subjects, account: Account, users: readonly BusLogin[]): string[] {
  const links = accountLinks(subjects);
  const exports = links
    .filter((link) => link.from === account)
    .map((link) => {
      const responses = link.manyReplies === true ? ', response_type: "stream"' : "";
      return `      { ${link.kind}: ${quote(link.subject)}, accounts: [${link.to.join(", ")}]${responses} }`;
    });
  const imports = links
    .filter((link) => link.to.includes(account))
    .map((link) => `      { ${link.kind}: { account: ${link.from}, subject: ${quote(link.subject)} } }`);
  return [
    `  ${account}: {`,
    ...(account === "STORE" ? ["    jetstream: enabled"] : []),
    ...block("exports", exports),
    ...block("imports", imports),
    ...block("users", users.filter((user) => user.account === account).map(userLine)),
    "  }",
  ];
}

function block(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`    ${name}: [`, ...lines, "    ]"];
}

function userLine({ user, password, publish, subscribe }: BusLogin): string {
  const permissions = `{ publish: { allow: ${quoteList(publish)} }, subscribe: { allow: ${quoteList(subscribe)} } }`;
  return `      { user: ${quote(user)}, password: ${quote(password)}, permissions: ${permissions} }`;
}

function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quote).join(", ")}]`;
}

/** A string of the configuration language: printable ASCII as it is, every other byte as `\xHH`. */
function quote(text: string): string {
  let quoted = '"';
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    if (char === '"' || char === "\\") quoted += `\\${char}`;
    else if (byte < 0x20 || byte > 0x7e) quoted += `\\x${byte.toString(16).padStart(2, "0")}`;
    else quoted += char;
  }
  return `${quoted}"`;
}

function checkUsers(users: readonly BusLogin[]): void {
  const names = new Set<string>();
  for (const { user, password } of users) {
    if (names.has(user)) throw new InvalidArgumentError(`user ${user} is listed twice`);
    names.add(user);
    if (password === "") throw new InvalidArgumentError(`user ${user} has no password`);
    // The server would take it for a hash of the password.
    if (/^\$2[aby]\$/.test(password))
      throw new InvalidArgumentError(`user ${user}: the password looks like a bcrypt hash`);
  }
}
