import type { Socket } from "node:net";
import { GRPC_HEALTH } from "../tls/protocols.ts";
import type { HealthCheckPolicy } from "./cluster-policy.ts";
import { grpcHealthPath } from "./grpc-health-path.ts";
import { GrpcProbe } from "./grpc-probe.ts";
import type { Host, HostPort } from "./host.ts";
import { HttpProbe } from "./http-probe.ts";

/** `unavailable`: it says so itself. */
export type Verdict = "pass" | "fail" | "unavailable";

/** Instances are asked at their first port. */
export type HealthQuestion = Pick<HealthCheckPolicy, "httpPath" | "grpcService">;

/**
 * One question to one instance; exactly one verdict follows, unless it is cancelled.
 *
 * A sidecar does not hand on HTTP/2, and its application may listen on loopback alone: so it is asked, in HTTP/1.1, to
 * put gRPC's question to its application itself.
 */
export class HostProbe {
  readonly #host: Host;
  readonly #question: HealthQuestion;
  readonly #done: (verdict: Verdict) => void;
  #asking: GrpcProbe | HttpProbe | undefined;
  #cancelled = false;

  constructor(host: Host, question: HealthQuestion, done: (verdict: Verdict) => void) {
    this.#host = host;
    this.#question = question;
    this.#done = done;
  }

  start(): void {
    const [first] = this.#host.ports;
    if (first === undefined) {
      this.#done("fail");
      return;
    }
    const [servicePort, target] = first;
    const protocol = this.#question.grpcService === undefined ? undefined : GRPC_HEALTH;
    this.#host.connector.connect(
      { ...target, peer: this.#host.peer, servicePort, protocol },
      {
        onConnected: (socket) => this.#onConnected(socket, target),
        onFailed: () => this.#settle("fail"),
      },
    );
  }

  cancel(): void {
    this.#cancelled = true;
    this.#asking?.cancel();
  }

  #onConnected(socket: Socket, { plaintext }: HostPort): void {
    const { httpPath, grpcService } = this.#question;
    if (this.#cancelled || (httpPath === "" && grpcService === undefined)) {
      socket.on("error", () => {});
      socket.destroy();
      this.#settle("pass");
      return;
    }
    const { host, ip } = this.#host.peer;
    const authority = host || ip;
    if (grpcService !== undefined && plaintext) {
      this.#asking = new GrpcProbe(socket, { authority, service: grpcService }, (isServing) =>
        this.#settle(isServing ? "pass" : "fail"),
      );
      return;
    }
    const path = grpcService === undefined ? httpPath : grpcHealthPath(grpcService);
    this.#asking = new HttpProbe(socket, { authority, path, limits: this.#host.connector.limits }, (status) =>
      this.#settle(grpcService === undefined ? verdictOf(status) : status === 200 ? "pass" : "fail"),
    );
  }

  #settle(verdict: Verdict): void {
    if (!this.#cancelled) this.#done(verdict);
  }
}

function verdictOf(status: number | undefined): Verdict {
  if (status === 503) return "unavailable";
  return status !== undefined && status >= 200 && status < 300 ? "pass" : "fail";
}
