import { encodeToken } from "./names.ts";
import { type Subjects, type Table, tableKey, WORKLOAD_TABLES } from "./subjects.ts";

/**
 * Who may publish and subscribe what: the one table from which the server's configuration is made. Everything not
 * listed is denied.
 *
 * JetStream answers to whatever reply subject a caller names, past that caller's permissions. So it lives in account
 * STORE, which has no workload user; MESH (components and workloads) sees only what STORE broadcasts and single-key
 * reads; OPS (people, the command line) sees configuration, telemetry and debugging. A component has two users of
 * one password: its own in MESH, and `<name>-store` in STORE.
 */
export type Account = "STORE" | "MESH" | "OPS";

export interface BusUser {
  readonly user: string;
  readonly account: Account;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** The user's private inbox prefix. */
  readonly inbox: string;
}

export interface WorkloadUser {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly service: string;
  /** Instances share a user: their inboxes and subjects lie below the service account's. */
  readonly gateway?: boolean;
}

export type Component = "pilot" | "mixer" | "ca";

const OWNED_TABLES: Readonly<Record<Component, readonly Table[]>> = {
  pilot: ["config", "service", "endpoints", "hosts", "gateway", "workload"],
  mixer: ["plan"],
  ca: ["trust"],
};

/** What a component reads in full without owning it. */
const READ_TABLES: Readonly<Record<Component, readonly Table[]>> = {
  pilot: [],
  mixer: ["config", "service"],
  ca: [],
};

/** The user name of a workload: injective over (namespace, service account, service). */
export function workloadUserName({ namespace, serviceAccount, service }: WorkloadUser): string {
  return `w.${tableKey(namespace, serviceAccount, service)}`;
}

/** The component's user in STORE. */
export function storeUserName(user: string): string {
  return `${user}-store`;
}

/** The component's user in account STORE: its own tables, its leader key, nothing that would name another's stream. */
export function storeUser(subjects: Subjects, component: Component): BusUser {
  const user = storeUserName(component);
  const inbox = subjects.inbox(user);
  const leader = subjects.bucketStream("leader");
  const owned = OWNED_TABLES[component];
  const streams = [...owned, ...READ_TABLES[component]].map((table) => subjects.bucketStream(table));
  const publish = [
    `$JS.API.STREAM.CREATE.${leader}`,
    `$JS.API.STREAM.UPDATE.${leader}`,
    `$JS.API.STREAM.INFO.${leader}`,
    subjects.bucketSubject("leader", component),
    subjects.directGet("leader", component),
    ...streams.map((stream) => `$JS.API.STREAM.INFO.${stream}`),
    ...streams.map((stream) => `$JS.API.DIRECT.GET.${stream}.>`),
    ...owned.map((table) => `$JS.API.STREAM.CREATE.${subjects.bucketStream(table)}`),
    ...owned.map((table) => `$JS.API.STREAM.UPDATE.${subjects.bucketStream(table)}`),
    ...owned.map((table) => subjects.bucketSubject(table, ">")),
    ...owned.map((table) => subjects.head(table)),
  ];
  const subscribe = [
    `${inbox}.>`,
    subjects.head("*"),
    ...[...owned, ...READ_TABLES[component]].map((table) => subjects.table(table, ">")),
  ];
  if (component === "pilot") {
    const submit = subjects.submitStream();
    publish.push(
      `$JS.API.STREAM.CREATE.${submit}`,
      `$JS.API.STREAM.UPDATE.${submit}`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${submit}.>`,
      `$JS.API.CONSUMER.MSG.NEXT.${submit}.>`,
      `$JS.ACK.${submit}.>`,
    );
  }
  return { user, account: "STORE", publish, subscribe, inbox };
}

/** The component's user in account MESH. Responders may publish inboxes only: a caller must not steer their answers. */
export function componentUser(subjects: Subjects, component: Component): BusUser {
  const inbox = subjects.inbox(component);
  const base = { user: component, account: "MESH", inbox } as const;
  const answers = ["_INBOX.>", "_R_.>"];
  const { prefix } = subjects;
  switch (component) {
    case "pilot":
      return {
        ...base,
        publish: [...answers, `${prefix}.config.rejected.>`],
        subscribe: [
          `${inbox}.>`,
          `${prefix}.config.*`,
          subjects.allRegistry(),
          subjects.registryList(),
          `${prefix}.sync.>`,
          subjects.componentStatus(),
        ],
      };
    case "mixer":
      return {
        ...base,
        publish: [...answers, subjects.allTelemetry()],
        subscribe: [
          `${inbox}.>`,
          subjects.allPolicyChecks(),
          subjects.allReports(),
          `${subjects.allReports()}.*`,
          subjects.mixerCheck(),
          subjects.mixerReport(),
          `${prefix}.sync.>`,
          subjects.componentStatus(),
        ],
      };
    case "ca":
      return {
        ...base,
        publish: answers,
        subscribe: [`${inbox}.>`, subjects.allCaSign(), subjects.componentStatus()],
      };
  }
}

/** A workload publishes only under its own identity, and reads single keys of the tables it may follow. */
export function workloadUser(subjects: Subjects, workload: WorkloadUser): BusUser {
  const { prefix } = subjects;
  const { namespace, serviceAccount, service } = workload;
  const own = tableKey(namespace, serviceAccount);
  const inbox = `_INBOX.${own}`;
  const tables = WORKLOAD_TABLES.filter((table) => table !== "gateway" || workload.gateway === true);
  return {
    user: workloadUserName(workload),
    account: "MESH",
    inbox,
    publish: [
      ...tables.map((table) => subjects.directGet(table, ">")),
      `${prefix}.registry.*.${own}.${encodeToken(service)}.*`,
      `${prefix}.policy.check.${own}.*`,
      `${prefix}.report.${own}.*`,
      `${prefix}.report.${own}.*.*`,
      `${prefix}.proxy.status.${own}.*`,
      `${prefix}.ca.sign.${own}`,
      "_R_.>",
    ],
    subscribe: [
      `${inbox}.>`,
      ...tables.map((table) => subjects.table(table, ">")),
      subjects.head("*"),
      `${prefix}.sync.>`,
      `${prefix}.proxy.debug.${own}.*`,
      `${prefix}.proxy.tap.${own}.*`,
    ],
  };
}

/** People and the command line. */
export function operatorUser(subjects: Subjects, user = "operator"): BusUser {
  const { prefix } = subjects;
  const inbox = subjects.inbox(user);
  return {
    user,
    account: "OPS",
    inbox,
    publish: [
      ...(["apply", "submit", "delete", "get", "list", "history", "rollback", "pending"] as const).map((verb) =>
        subjects.config(verb),
      ),
      subjects.registryList(),
      // What proxies follow, one key at a time: `lateen explain` reads what they read.
      ...WORKLOAD_TABLES.map((table) => subjects.directGet(table, ">")),
      `${prefix}.sync.>`,
      subjects.componentStatus(),
      subjects.mixerCheck(),
      subjects.mixerReport(),
      `${prefix}.proxy.debug.>`,
      `${prefix}.proxy.tap.>`,
    ],
    subscribe: [
      `${inbox}.>`,
      "_INBOX.>",
      `${prefix}.config.changed.>`,
      subjects.allConfigRejected(),
      subjects.allTelemetry(),
      subjects.allProxyStatus(),
    ],
  };
}

/** What crosses accounts. */
export interface AccountLink {
  readonly kind: "stream" | "service";
  readonly subject: string;
  readonly from: Account;
  readonly to: readonly Account[];
  /** More than one reply to a request. */
  readonly manyReplies?: boolean;
}

export function accountLinks(subjects: Subjects): AccountLink[] {
  const { prefix } = subjects;
  const links: AccountLink[] = [
    ...WORKLOAD_TABLES.map(
      (table): AccountLink => ({ kind: "stream", subject: subjects.table(table, ">"), from: "STORE", to: ["MESH"] }),
    ),
    ...WORKLOAD_TABLES.map(
      (table): AccountLink => ({
        kind: "service",
        subject: subjects.directGet(table, ">"),
        from: "STORE",
        to: ["MESH", "OPS"],
      }),
    ),
    { kind: "stream", subject: subjects.head("*"), from: "STORE", to: ["MESH"] },
    { kind: "stream", subject: subjects.table("config", ">"), from: "STORE", to: ["OPS"] },
    { kind: "service", subject: subjects.config("submit"), from: "STORE", to: ["OPS"] },
    { kind: "stream", subject: subjects.allConfigRejected(), from: "MESH", to: ["OPS"] },
    { kind: "stream", subject: subjects.allTelemetry(), from: "MESH", to: ["OPS"] },
    { kind: "stream", subject: subjects.allProxyStatus(), from: "MESH", to: ["OPS"] },
    { kind: "service", subject: `${prefix}.sync.>`, from: "MESH", to: ["OPS"], manyReplies: true },
    { kind: "service", subject: subjects.componentStatus(), from: "MESH", to: ["OPS"], manyReplies: true },
    { kind: "service", subject: subjects.mixerCheck(), from: "MESH", to: ["OPS"] },
    { kind: "service", subject: subjects.mixerReport(), from: "MESH", to: ["OPS"] },
    { kind: "service", subject: `${prefix}.proxy.debug.>`, from: "MESH", to: ["OPS"] },
    { kind: "service", subject: `${prefix}.proxy.tap.>`, from: "MESH", to: ["OPS"] },
    { kind: "service", subject: subjects.registryList(), from: "MESH", to: ["OPS"] },
  ];
  for (const verb of ["apply", "delete", "get", "list", "history", "rollback", "pending"] as const) {
    links.push({ kind: "service", subject: subjects.config(verb), from: "MESH", to: ["OPS"] });
  }
  return links;
}
