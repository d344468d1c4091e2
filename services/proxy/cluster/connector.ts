import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { errorMessage, MAX_TIMER_MS } from "../../../shared/base/index.ts";
import { DEFAULT_LIMITS, type Http1Limits } from "../codec/http1-settings.ts";
import type { SocketReader } from "../codec/socket-reader.ts";
import type { Peer } from "../stream/record.ts";
import { encodeHello } from "../tls/hello.ts";
import { type ClientTlsPolicy, type OriginatedTls, TlsOrigination } from "../tls/origination.ts";
import { GRPC_HEALTH, HTTP1 } from "../tls/protocols.ts";
import { LATEEN_ALPN } from "../tls/settings.ts";
import type { ConnectEvents } from "./connection-pool.ts";
import type { HostPort } from "./host.ts";

export interface ConnectTarget extends HostPort {
  readonly peer: Peer;
  readonly servicePort: number;
  /** What is spoken to another proxy after Hello; undefined: http/1.1. */
  readonly protocol?: string | undefined;
  /** Undefined: the connector's own. */
  readonly timeoutMs?: number | undefined;
  /** Silence after which the system asks whether the other end is still there; 0 (default): it never asks. */
  readonly keepaliveMs?: number;
  /** Reads the socket instead of `data` events; only of a plaintext one. */
  readonly reader?: SocketReader;
}

/** How long before its identities lapse a connection gets no more requests, at most; else a tenth of what is left. */
const RETIRE_EARLY_MS = 5_000;

/** The server closes at the very end: a request that crosses its close would be lost, so the client stops earlier. */
function retireMs(expiresMs: number, nowMs: number): number {
  return expiresMs - Math.min(RETIRE_EARLY_MS, Math.max(0, expiresMs - nowMs) / 10);
}

function readBy({ reader }: ConnectTarget): { onread?: SocketReader["onread"] } {
  return reader === undefined ? {} : { onread: reader.onread };
}

/** The system counts in whole seconds. */
function keepAlive(socket: Socket, { keepaliveMs = 0 }: ConnectTarget): void {
  if (keepaliveMs > 0) socket.setKeepAlive(true, Math.max(1_000, keepaliveMs));
}

/** What this proxy shows to others, swapped when its certificate is renewed. */
export interface ClientIdentity {
  readonly context: SecureContext;
  readonly expiresMs: number;
}

export interface ConnectorOptions {
  /** Default 10 s (Istio). */
  readonly connectTimeoutMs: number;
  readonly self: Peer;
  /** Of what servers answer. */
  readonly limits?: Http1Limits;
  /** Of this proxy's admin API, which is for the machine alone; 0 (default): not known. */
  readonly adminPort?: number;
  /** Undefined while there is no certificate yet. */
  identity(): ClientIdentity | undefined;
  /** Undefined when the certificate's SPIFFE id may serve that service, else what is wrong with it. */
  verify(target: ConnectTarget, socket: TLSSocket): { readonly error: string } | { readonly expiresMs: number };
}

const OWN_ADMIN = "the address is the admin API of this proxy";

/**
 * Opens connections to other proxies (mutual TLS, ALPN lateen/1, then Hello) and to instances without one (plain
 * TCP, or TLS as their policy asks for). Sessions are never resumed: on a resumed session Node checks neither the peer's name nor its expiry.
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #origination = new TlsOrigination();

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  get limits(): Http1Limits {
    return this.#options.limits ?? DEFAULT_LIMITS;
  }

  connect(target: ConnectTarget, events: ConnectEvents): void {
    // Registered by others, or named by a request: Node throws for what is no port.
    if (!(target.port >= 1 && target.port <= 65_535))
      events.onFailed("connect-failure", `${target.port} is not a port`);
    else if (target.plaintext && target.tls !== undefined) this.#originateTls(target, target.tls, events);
    else if (target.plaintext) this.#connectPlain(target, events);
    else this.#connectMutualTls(target, events);
  }

  #connectPlain(target: ConnectTarget, events: ConnectEvents): void {
    const socket = connectTcp({ host: target.address, port: target.port, noDelay: true, ...readBy(target) });
    const failed = this.#guard(socket, target, events);
    socket.once("connect", () => {
      if (this.#isOwnAdmin(socket)) {
        failed.fail(OWN_ADMIN);
        return;
      }
      failed.disarm();
      keepAlive(socket, target);
      events.onConnected(socket, Number.POSITIVE_INFINITY, target.reader);
    });
  }

  #originateTls(target: ConnectTarget, tls: ClientTlsPolicy, events: ConnectEvents): void {
    let options: OriginatedTls;
    try {
      options = this.#origination.options(tls, target.peer.host || target.address);
    } catch (error) {
      events.onFailed("connect-failure", errorMessage(error));
      return;
    }
    const { servername, ...rest } = options;
    const socket = connectTls({
      host: target.address,
      port: target.port,
      // A server of two protocols must not choose the one that is not spoken here.
      ALPNProtocols: [target.protocol === GRPC_HEALTH ? "h2" : "http/1.1"],
      ...(servername !== undefined && { servername }),
      ...rest,
    });
    const failed = this.#guard(socket, target, events);
    socket.once("secureConnect", () => {
      failed.disarm();
      socket.setNoDelay(true);
      keepAlive(socket, target);
      events.onConnected(socket, Number.POSITIVE_INFINITY);
    });
  }

  /**
   * Where an instance listens is its own word, and what a name resolves to is its owner's: both may point at the loopback
   * of whoever calls. So it is the connection that is looked at, not the address.
   */
  #isOwnAdmin({ localAddress, remoteAddress, remotePort }: Socket): boolean {
    const { adminPort = 0 } = this.#options;
    return adminPort !== 0 && remotePort === adminPort && remoteAddress === localAddress;
  }

  #connectMutualTls(target: ConnectTarget, events: ConnectEvents): void {
    const identity = this.#options.identity();
    if (identity === undefined || identity.expiresMs <= Date.now()) {
      events.onFailed(
        "connect-failure",
        identity === undefined ? "this proxy has no certificate yet" : "this proxy's certificate has expired",
      );
      return;
    }
    const socket = connectTls({
      host: target.address,
      port: target.port,
      secureContext: identity.context,
      ALPNProtocols: [LATEEN_ALPN],
      minVersion: "TLSv1.3",
      rejectUnauthorized: true,
      // The name that counts is the SPIFFE id, checked below once the chain has been verified.
      checkServerIdentity: () => undefined,
    });
    const failed = this.#guard(socket, target, events);
    socket.once("secureConnect", () => {
      failed.disarm();
      const verdict = this.#options.verify(target, socket);
      if ("error" in verdict || socket.alpnProtocol !== LATEEN_ALPN) {
        socket.on("error", () => {});
        socket.destroy();
        events.onFailed("connect-failure", "error" in verdict ? verdict.error : "the peer does not speak lateen/1");
        return;
      }
      const { self } = this.#options;
      socket.setNoDelay(true);
      keepAlive(socket, target);
      socket.write(
        encodeHello({
          protocol: target.protocol ?? HTTP1,
          service: target.own?.service ?? target.peer.service,
          port: target.own?.port ?? target.servicePort,
          sourceService: self.service,
          sourceInstance: self.instance,
          sourceWorkload: self.workload,
          sourceLabels: { ...self.labels },
        }),
      );
      const expiresMs = retireMs(Math.min(identity.expiresMs, verdict.expiresMs), Date.now());
      events.onConnected(socket, expiresMs);
    });
  }

  /** Reports the first of error, close and time-out as a failure, unless disarmed before. */
  #guard(
    socket: Socket,
    target: ConnectTarget,
    events: ConnectEvents,
  ): { disarm(): void; fail(message: string): void } {
    const fail = (reason: "connect-failure" | "connect-timeout", message: string): void => {
      disarm();
      socket.on("error", () => {});
      socket.destroy();
      events.onFailed(reason, message);
    };
    const onError = (error: Error): void => fail("connect-failure", error.message);
    const onClose = (): void => fail("connect-failure", "closed while connecting");
    const timeoutMs = target.timeoutMs ?? this.#options.connectTimeoutMs;
    const timer = setTimeout(() => fail("connect-timeout", "connect timed out"), Math.min(timeoutMs, MAX_TIMER_MS));
    const disarm = (): void => {
      clearTimeout(timer);
      socket.off("error", onError);
      socket.off("close", onClose);
    };
    socket.on("error", onError);
    socket.on("close", onClose);
    return { disarm, fail: (message) => fail("connect-failure", message) };
  }
}
