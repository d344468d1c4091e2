import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { natsServerConfig, type Subjects, standardUsers, type WorkloadUser } from "../shared/wire/index.ts";

/**
 * Credentials for a mesh that somebody else starts, such as docker-compose. Each user's file lies in a folder of its
 * own, so that each process can be given its own folder and nobody else's. Running it again keeps the passwords that
 * are there and adds those of new users, so it can run before every start.
 */
export interface BusConfigOptions {
  readonly outDir: string;
  readonly subjects: Subjects;
  readonly workloads: readonly WorkloadUser[];
  /** What the credentials files name as the server. */
  readonly natsUrl: string;
  /** host:port where the server listens. */
  readonly listen: string;
  readonly storeDir: string;
  /** host:port of the server's monitoring endpoints; default: none. */
  readonly http?: string;
  /** Who may read the credentials files, when run by root. The server's own file stays its writer's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Writes nats/nats.conf and <user>/credentials.env below `outDir`; returns the users' names. */
export function writeBusConfig(options: BusConfigOptions): readonly string[] {
  const { outDir, subjects, workloads, listen, storeDir, http } = options;
  const names = new Set(standardUsers({ subjects, workloads }).map(({ user }) => user));
  const passwords: Record<string, string> = {};
  for (const name of names) {
    const password = existingPassword(credentialsFile(outDir, name));
    if (password !== undefined) passwords[name] = password;
  }
  const users = standardUsers({ subjects, workloads, passwords });
  const serverConfig = natsServerConfig({ subjects, listen, storeDir, users, ...(http === undefined ? {} : { http }) });
  writePrivate(join(outDir, "nats/nats.conf"), serverConfig, undefined);
  // A component's second user, in STORE, has the password of its first.
  const people = users.filter(({ account }) => account !== "STORE");
  for (const { user, password } of people) {
    const lines = { NATS_URL: options.natsUrl, NATS_USER: user, NATS_PASSWORD: password, MESH_PREFIX: subjects.prefix };
    const text = Object.entries(lines)
      .map(([name, value]) => `${name}=${value}\n`)
      .join("");
    writePrivate(credentialsFile(outDir, user), text, options.owner);
  }
  return people.map(({ user }) => user);
}

function credentialsFile(outDir: string, user: string): string {
  return join(outDir, user, "credentials.env");
}

function existingPassword(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  return /^NATS_PASSWORD=([A-Za-z0-9_-]+)$/m.exec(readFileSync(file, "utf8"))?.[1];
}

function writePrivate(file: string, text: string, owner: BusConfigOptions["owner"]): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  if (owner !== undefined) {
    chownSync(folder, owner.uid, owner.gid);
    chownSync(`${file}.new`, owner.uid, owner.gid);
  }
  renameSync(`${file}.new`, file);
}
