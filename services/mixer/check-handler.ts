import { type Clock, UnavailableError } from "../../shared/base/index.ts";
import type { BusMessage, ServeReply } from "../../shared/bus/index.ts";
import { protoReply } from "../../shared/bus/index.ts";
import { CheckRequest, CheckResponse, type Subjects } from "../../shared/wire/index.ts";
import { checkAttributes, FIXED_ATTRIBUTES } from "./attributes.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { SnapshotHolder } from "./snapshot.ts";

export interface CheckHandlerOptions {
  readonly subjects: Subjects;
  readonly snapshots: SnapshotHolder;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  /** How long a check waits for the configuration that its plan was made from. */
  readonly waitMs: number;
  readonly onAnswer: (code: number, startedMs: number) => void;
}

/** More quotas than a request can be charged of. */
const MAX_QUOTAS = 100;

/**
 * Answers `policy.check`. A proxy's plan may be newer than this replica's configuration: then the check waits, because
 * an answer from before the change would be cached under the plan of after it. What does not come in time is no answer.
 */
export class CheckHandler {
  readonly #options: CheckHandlerOptions;

  constructor(options: CheckHandlerOptions) {
    this.#options = options;
  }

  async handle(message: BusMessage): Promise<ServeReply> {
    const { subjects, snapshots, dispatcher, clock, onAnswer } = this.#options;
    const startedMs = clock.monotonic();
    const identity = subjects.parsePolicyCheck(message.subject);
    const request = message.decode(CheckRequest);
    const bag = checkAttributes(request, identity);
    if (snapshots.current.revision < request.planRevision) await this.#waitFor(request.planRevision);
    const answer = await dispatcher.check(snapshots.current, {
      namespace: identity.namespace,
      bag,
      caller: `${identity.namespace}/${identity.serviceAccount}/${identity.proxy}`,
      deduplicationId: request.deduplicationId,
      quotas: request.quotas.slice(0, MAX_QUOTAS),
    });
    onAnswer(answer.code, startedMs);
    return protoReply(CheckResponse, {
      code: answer.code,
      message: answer.message,
      validMs: answer.validMs,
      validUses: Math.min(answer.validUses, 0xffff_ffff),
      referenced: answer.referenced.filter(({ attribute }) => !FIXED_ATTRIBUTES.has(attribute)),
      quotas: answer.quotas.map(({ quota, granted, validMs }) => ({ quota, granted: Math.max(0, granted), validMs })),
    });
  }

  async #waitFor(revision: number): Promise<void> {
    const { snapshots, clock, waitMs } = this.#options;
    const deadlineMs = clock.monotonic() + waitMs;
    while (snapshots.current.revision < revision) {
      const leftMs = deadlineMs - clock.monotonic();
      if (leftMs <= 0)
        throw new UnavailableError(`configuration ${revision} has not arrived, at ${snapshots.current.revision}`);
      const next = snapshots.nextChange();
      await new Promise<void>((resolve) => {
        const cancel = clock.after(leftMs, resolve);
        void next.changed.then(() => {
          cancel();
          resolve();
        });
      });
      next.cancel();
    }
  }
}
