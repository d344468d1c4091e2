import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, openBus } from "../../shared/bus/index.ts";
import {
  type BusLogin,
  natsServerConfig,
  type ServerConfigOptions,
  Subjects,
  standardUsers,
  storeUserName,
  type WorkloadUser,
  workloadUserName,
} from "../../shared/wire/index.ts";
import { Child, findProgram } from "./child.ts";
import { silentLog } from "./log.ts";

export interface NatsOptions {
  /** Default `mesh`. */
  readonly prefix?: string;
  readonly workloads?: readonly WorkloadUser[];
  /** Default: any free one. */
  readonly port?: number;
  readonly overrides?: Partial<
    Pick<ServerConfigOptions, "maxPendingBytes" | "writeDeadlineMs" | "pingIntervalMs" | "http">
  >;
}

export interface ConnectOptions {
  /** Default: the server itself; a relay's, to cut the connection. */
  readonly url?: string;
  readonly inboxPrefix?: string;
  readonly name?: string;
}

export interface RestartOptions {
  /** Throws the JetStream files away. */
  readonly wipe?: boolean;
}

/** May do anything in account STORE: for tests that break buckets. The product has no such user. */
const ROOT: BusLogin = {
  user: "root",
  password: "root",
  account: "STORE",
  publish: [">"],
  subscribe: [">"],
  inbox: "_INBOX.root",
};

/** A real nats-server of its own, with the product's accounts and permissions. */
export class NatsFixture {
  readonly subjects: Subjects;
  readonly logins: readonly BusLogin[];
  readonly #folder: string;
  readonly #overrides: NonNullable<NatsOptions["overrides"]>;
  readonly #buses = new Set<Bus>();
  #port: number;
  #child: Child | undefined;

  constructor(options: NatsOptions, folder: string) {
    this.subjects = new Subjects(options.prefix ?? "mesh");
    this.logins = [...standardUsers({ subjects: this.subjects, workloads: options.workloads ?? [] }), ROOT];
    this.#overrides = options.overrides ?? {};
    this.#port = options.port ?? -1;
    this.#folder = folder;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get running(): boolean {
    return this.#child?.running ?? false;
  }

  password(user: string): string {
    return this.login(user).password;
  }

  login(user: string): BusLogin {
    const login = this.logins.find((candidate) => candidate.user === user);
    if (login === undefined) throw new Error(`no user ${user}`);
    return login;
  }

  /** A connection as one of the users: `pilot`, `pilot-store`, `operator`, or `workloadUserName(...)`. */
  async connect(user: string, options: ConnectOptions = {}): Promise<Bus> {
    const bus = this.open(user, options);
    await bus.whenConnected(10_000);
    return bus;
  }

  /** Like `connect`, without waiting. */
  open(user: string, options: ConnectOptions = {}): Bus {
    const { password, inbox } = this.login(user);
    const bus = openBus({
      servers: options.url ?? this.url,
      user,
      password,
      name: options.name ?? user,
      inboxPrefix: options.inboxPrefix ?? inbox,
      subjects: this.subjects,
      log: silentLog,
    });
    this.#buses.add(bus);
    return bus;
  }

  /** A connection as a component's user in account STORE. */
  connectStore(component: "pilot" | "mixer" | "ca"): Promise<Bus> {
    return this.connect(storeUserName(component));
  }

  connectWorkload(workload: WorkloadUser, options: ConnectOptions = {}): Promise<Bus> {
    return this.connect(workloadUserName(workload), options);
  }

  async start(): Promise<void> {
    const file = join(this.#folder, "nats.conf");
    const text = natsServerConfig({
      ...this.#overrides,
      subjects: this.subjects,
      listen: `127.0.0.1:${this.#port}`,
      storeDir: join(this.#folder, "store"),
      users: this.logins,
    });
    await writeFile(file, text, { mode: 0o600 });
    const child = new Child(findProgram("nats-server"), ["-c", file]);
    this.#child = child;
    const match = await child.waitFor(/Listening for client connections on [^\n]*:(\d+)/);
    await child.waitFor(/Server is ready/);
    this.#port = Number(match[1]);
  }

  /** Kills the server; connections stay and find it gone. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** The same port, the same files unless wiped. */
  async restart(options: RestartOptions = {}): Promise<void> {
    await this.kill();
    if (options.wipe === true) await rm(join(this.#folder, "store"), { recursive: true, force: true });
    await this.start();
  }

  /** Closes every connection made by `connect`, kills the server, removes its files. */
  async stop(): Promise<void> {
    await Promise.all([...this.#buses].map((bus) => bus.close()));
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function startNats(options: NatsOptions = {}): Promise<NatsFixture> {
  const fixture = new NatsFixture(options, await mkdtemp(join(tmpdir(), "lateen-nats-")));
  await fixture.start();
  return fixture;
}
