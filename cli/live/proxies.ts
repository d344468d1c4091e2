import { InvalidArgumentError, MeshError } from "../../shared/base/index.ts";
import type { Bus } from "../../shared/bus/index.ts";
import { ProxyStatus, SyncRequest } from "../../shared/wire/index.ts";
import { UsageError } from "../io.ts";
import { notFound } from "../not-found.ts";

/* Proxies as a command finds them: by asking all of them, for who does not answer cannot be asked anything else either. */

const GATHER = { quietMs: 300, maxMs: 3_000 };
const DEBUG_TIMEOUT_MS = 5_000;
const MAX_NAMED = 8;

/** Every proxy that answers, in order of name. */
export async function gatherProxies(bus: Bus): Promise<ProxyStatus[]> {
  const statuses = await bus.gather(bus.subjects.syncStatus(), SyncRequest, {}, ProxyStatus, GATHER);
  return statuses.sort((a, b) => (proxyName(a) < proxyName(b) ? -1 : 1));
}

/** `instance.namespace`. */
export function proxyName({ instance, namespace }: Pick<ProxyStatus, "instance" | "namespace">): string {
  return `${instance}.${namespace}`;
}

/**
 * The proxies that a word means: an instance (`reviews-1`, `reviews-1.default`, `default/reviews-1`), else all of a workload or
 * service of that name. Throws NotFoundError that names what there is.
 */
export function proxiesNamed(statuses: readonly ProxyStatus[], word: string): readonly ProxyStatus[] {
  const spellings: ((status: ProxyStatus) => readonly string[])[] = [
    (status) => [proxyName(status), `${status.namespace}/${status.instance}`],
    ({ instance }) => [instance],
    ({ service, namespace }) => [`${service}.${namespace}`],
    ({ service }) => [service],
    ({ workload, namespace }) => [`${workload}.${namespace}`, workload],
  ];
  for (const spelling of spellings) {
    const found = statuses.filter((status) => spelling(status).includes(word));
    if (found.length > 0) return found;
  }
  const names = statuses.flatMap(({ service, workload, namespace }) => [
    `${service}.${namespace}`,
    `${workload}.${namespace}`,
  ]);
  throw notFound("proxy, service or workload", word, [...statuses.map(proxyName), ...names]);
}

/** The one proxy that a word means. Throws UsageError when it means several. */
export function proxyNamed(statuses: readonly ProxyStatus[], word: string): ProxyStatus {
  const [first, ...more] = proxiesNamed(statuses, word);
  if (first === undefined || more.length > 0)
    throw new UsageError(`${word} means several proxies: ${named(proxiesNamed(statuses, word))}; name one of them`);
  return first;
}

function named(statuses: readonly ProxyStatus[]): string {
  const names = statuses.slice(0, MAX_NAMED).map(proxyName).join(", ");
  return statuses.length > MAX_NAMED ? `${names} and ${statuses.length - MAX_NAMED} more` : names;
}

/** What proxies are addressed by. */
export function identityOf({ namespace, serviceAccount, instance }: ProxyStatus): {
  namespace: string;
  serviceAccount: string;
  proxy: string;
} {
  return { namespace, serviceAccount, proxy: instance };
}

/** One question to a proxy: `{"view": ...}` or `{"action": ...}`. Throws the MeshError that it answered. */
export async function askProxy<T>(bus: Bus, status: ProxyStatus, question: object): Promise<T> {
  try {
    const subject = bus.subjects.proxyDebug(identityOf(status));
    return (await bus.requestJson(subject, question, { timeoutMs: DEBUG_TIMEOUT_MS })) as T;
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const text = `${proxyName(status)}: ${error.message}`;
    throw error.code === "ERR_MESH_INVALID_ARGUMENT"
      ? new InvalidArgumentError(text, { cause: error })
      : new MeshError(error.code, text, { cause: error });
  }
}
