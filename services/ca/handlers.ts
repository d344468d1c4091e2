import { errorMessage, MeshError } from "../../shared/base/index.ts";
import { type Bus, type BusSubscription, protoReply } from "../../shared/bus/index.ts";
import type { Logger, Metrics } from "../../shared/obs/index.ts";
import { SignRequest, SignResponse } from "../../shared/wire/index.ts";
import type { Authority } from "./authority.ts";
import type { Signer } from "./signer.ts";

const MAX_IN_FLIGHT = 256;

export interface SigningOptions {
  readonly bus: Bus;
  readonly authority: Authority;
  readonly signer: Signer;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Answers `ca.sign.<namespace>.<service account>`. The server lets a workload publish only under its own identity, so
 * the subject is the proof; the answer goes only to an inbox of that same identity.
 */
export class SigningHandlers {
  readonly #options: SigningOptions;
  readonly #signed;
  readonly #refused;
  #subscription: BusSubscription | undefined;

  constructor(options: SigningOptions) {
    this.#options = options;
    this.#signed = options.metrics.counter("certificates_signed_total", "Workload certificates signed.");
    this.#refused = options.metrics.counter("certificates_refused_total", "Signing requests refused, by error code.", [
      "code",
    ]);
  }

  get serving(): boolean {
    return this.#subscription !== undefined;
  }

  open(): void {
    const { bus, authority, signer, log } = this.#options;
    const { subjects } = bus;
    this.#subscription ??= bus.serve(
      subjects.allCaSign(),
      async (message) => {
        try {
          const identity = subjects.parseCaSign(message.subject);
          const request = message.decode(SignRequest);
          const signed = await signer.sign(identity, request.csr, request.ttlMs);
          this.#signed.inc();
          log.debug({ spiffeId: signed.spiffeId, notAfterMs: signed.notAfterMs }, "signed");
          return protoReply(SignResponse, {
            chain: [signed.certificate],
            roots: [authority.root],
            notBeforeMs: signed.notBeforeMs,
            notAfterMs: signed.notAfterMs,
          });
        } catch (error) {
          this.#refused.inc({ code: error instanceof MeshError ? error.code : "ERR_MESH_INTERNAL" });
          log.debug({ subject: message.subject, reason: errorMessage(error) }, "refused");
          throw error;
        }
      },
      {
        queue: subjects.queue("ca"),
        maxInFlight: MAX_IN_FLIGHT,
        callerInbox: (subject) => {
          const { namespace, serviceAccount } = subjects.parseCaSign(subject);
          return subjects.inbox(namespace, serviceAccount);
        },
      },
    );
  }

  close(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }
}
