import {
  accountLinks,
  type BusUser,
  componentUser,
  operatorUser,
  Subjects,
  storeUser,
  workloadUser,
} from "../../shared/wire/index.ts";
import { code, table } from "./sections.ts";

/** Names that stand for a workload's own; `namesShown` turns them into what a page shows. */
export const STAND_INS = {
  namespace: "NAMESPACE",
  serviceAccount: "SERVICE-ACCOUNT",
  service: "SERVICE",
  proxy: "PROXY",
  instance: "INSTANCE",
  replica: "REPLICA",
  shard: "SHARD",
  kind: "KIND",
  name: "NAME",
  table: "TABLE",
  key: "KEY",
} as const;

/** `mesh.ca.sign.NAMESPACE.SERVICE-ACCOUNT` as `mesh.ca.sign.<namespace>.<service account>`. */
export function namesShown(subject: string): string {
  let shown = subject.replaceAll(/\bkind\b/g, "<kind>");
  for (const name of Object.values(STAND_INS).sort((a, b) => b.length - a.length)) {
    shown = shown.replaceAll(name, `<${name.toLowerCase().replaceAll("-", " ")}>`);
  }
  return shown;
}

const subjects = new Subjects("mesh");

/** Every sort of user. */
export function busUsers(): readonly BusUser[] {
  const workload = {
    namespace: STAND_INS.namespace,
    serviceAccount: STAND_INS.serviceAccount,
    service: STAND_INS.service,
  };
  return [
    componentUser(subjects, "pilot"),
    storeUser(subjects, "pilot"),
    componentUser(subjects, "mixer"),
    storeUser(subjects, "mixer"),
    componentUser(subjects, "ca"),
    storeUser(subjects, "ca"),
    workloadUser(subjects, workload),
    { ...workloadUser(subjects, { ...workload, gateway: true }), user: "a gateway's workload" },
    operatorUser(subjects),
  ];
}

export function renderUsers(): string {
  const lines = (patterns: readonly string[]) => patterns.map((pattern) => code(namesShown(pattern))).join("<br>");
  return table(
    ["user", "account", "may publish", "may subscribe"],
    busUsers().map(({ user, account, publish, subscribe }) => [
      user.includes(" ") ? user : code(namesShown(user)),
      account,
      lines(publish),
      lines(subscribe),
    ]),
  );
}

export function renderLinks(): string {
  return table(
    ["what", "from", "to", "sort"],
    accountLinks(subjects).map(({ kind, subject, from, to, manyReplies }) => [
      code(subject),
      from,
      to.join(", "),
      manyReplies === true ? `${kind}, any number of replies` : kind,
    ]),
  );
}
