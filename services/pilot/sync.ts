import {
  type Bus,
  type BusMessage,
  type BusSubscription,
  protoReply,
  type ServeReply,
} from "../../shared/bus/index.ts";
import type { KindRegistry } from "../../shared/model/index.ts";
import { kindToken, SyncReply } from "../../shared/wire/index.ts";
import type { Broadcaster } from "./broadcaster.ts";
import type { Compiler } from "./compile/compiler.ts";
import { type ConfigStore, ruleNameOfKey, versionNumber } from "./config-store.ts";

export interface SyncOptions {
  /** The connection into account MESH. */
  readonly bus: Bus;
  readonly replica: string;
  readonly store: ConfigStore;
  readonly kinds: KindRegistry;
  /** Undefined unless this replica leads. */
  readonly leading: () => { readonly broadcaster: Broadcaster; readonly compiler: Compiler } | undefined;
}

/**
 * Answers "which revision of this resource have you got": every replica for what it has stored, and the leader, as owner
 * of the traffic kinds, for the table keys into which it has compiled and written it.
 */
export function serveSync(options: SyncOptions): BusSubscription {
  const { bus, replica, store, kinds } = options;
  const ownedKinds = new Set(
    kinds.definitions.filter((item) => item.class === "traffic").map((item) => kindToken(item.kind)),
  );
  const revisionOfKey = (key: string): number => {
    const [kind = "", namespace = "", name = ""] = ruleNameOfKey(key).split("/");
    const newest = store.newest({ kind, namespace, name });
    return newest === undefined ? 0 : versionNumber(newest);
  };
  const answer = (message: BusMessage): ServeReply => {
    const { key } = bus.subjects.parseSync(message.subject);
    const base = { role: "pilot", name: replica };
    const leading = options.leading();
    if (leading === undefined || !ownedKinds.has(key.split(".")[0] ?? "")) {
      return protoReply(SyncReply, { ...base, revision: revisionOfKey(key) });
    }
    const settled = leading.broadcaster.settled(key);
    const waits = leading.compiler.pendingReason(ruleNameOfKey(key));
    return protoReply(SyncReply, {
      ...base,
      owner: true,
      revision: settled?.revision ?? 0,
      touched: waits === undefined ? [...(settled?.touched ?? [])] : [],
      reason: waits === undefined ? (leading.broadcaster.failure(key) ?? "") : `pending: ${waits}`,
    });
  };
  return bus.serve(bus.subjects.sync("config", ">"), answer);
}
