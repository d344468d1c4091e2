import { createServer, type Server, type TLSSocket } from "node:tls";
import { type Clock, errorMessage } from "../../../shared/base/index.ts";
import type { Logger } from "../../../shared/obs/index.ts";
import type { Hello } from "../../../shared/wire/index.ts";
import { Http1ServerConnection } from "../codec/http1-server.ts";
import { DEFAULT_HTTP1, type Http1Settings } from "../codec/http1-settings.ts";
import { Exchange } from "../filter/exchange.ts";
import type { Filter } from "../filter/filter.ts";
import { FilterChain } from "../filter/filter-chain.ts";
import { tellRefused } from "../filter/refused.ts";
import type { IdentityMaterial } from "../identity/material.ts";
import { parseSpiffe, spiffeIdOf } from "../identity/peer.ts";
import { Listener } from "../listener.ts";
import { addressesOf } from "../stream/addresses.ts";
import { type Peer, RequestRecord } from "../stream/record.ts";
import { decodeHello, MAX_HELLO_BYTES } from "../tls/hello.ts";
import { LATEEN_ALPN, NO_RESUMPTION } from "../tls/settings.ts";
import { clientCertificateElement } from "./client-certificate.ts";

/** Who has proved to be at the other end. */
interface Caller {
  readonly principal: string;
  /** His certificate, as x-forwarded-client-cert tells it. */
  readonly element: string;
}

/** From the TCP connection to the end of Hello. */
const HANDSHAKE_MS = 10_000;

export interface InboundListenerOptions {
  readonly self: Peer;
  /** By what Hello says is spoken. */
  readonly stacks: ReadonlyMap<string, readonly Filter[]>;
  readonly clock: Clock;
  readonly settings?: Http1Settings;
  readonly log: Logger;
  /** Whether this workload is an instance of the service that a caller means. */
  isOwnService(service: string): boolean;
}

/**
 * The port for other proxies. Mutual TLS or nothing: a peer without a certificate of the mesh, without ALPN lateen/1,
 * or whose first bytes are no Hello is cut off. Hello says which port is meant and who calls, within what the
 * certificate proves: namespace and service account are the certificate's, the rest is the caller's own word.
 */
export class InboundListener {
  readonly listener: Listener;
  readonly #server: Server;
  readonly #options: InboundListenerOptions;
  readonly #filters: ReadonlyMap<string, FilterChain>;
  #ownExpiryMs = 0;
  #rootsPem: string;

  constructor(options: InboundListenerOptions, material: IdentityMaterial) {
    this.#options = options;
    this.#filters = new Map([...options.stacks].map(([protocol, stack]) => [protocol, new FilterChain(stack)]));
    this.#server = createServer({
      ...contextOptions(material),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [LATEEN_ALPN],
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#ownExpiryMs = material.notAfterMs;
    this.#rootsPem = material.rootsPem;
    this.listener = new Listener(this.#server, options.clock);
    this.#server.on("secureConnection", (socket) => this.#accept(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      options.log.debug({ peer: socket.remoteAddress, reason: error.message }, "inbound TLS handshake failed");
      socket.destroy();
    });
  }

  /**
   * New connections are made with the new certificate; those on the old one live until it would have expired. When a
   * root is withdrawn they end at once, each after its request: who of the peers rests on it is not worth finding out.
   */
  renew(material: IdentityMaterial): void {
    this.#server.setSecureContext(contextOptions(material));
    this.#ownExpiryMs = material.notAfterMs;
    const kept = new Set(rootsOf(material.rootsPem));
    const withdrawn = rootsOf(this.#rootsPem).some((root) => !kept.has(root));
    this.#rootsPem = material.rootsPem;
    if (withdrawn) this.listener.drainConnections();
  }

  #accept(socket: TLSSocket): void {
    const certificate = socket.getPeerCertificate();
    const principal = spiffeIdOf(certificate);
    if (socket.alpnProtocol !== LATEEN_ALPN || principal === undefined) {
      socket.destroy();
      return;
    }
    const expiresMs = Math.min(Date.parse(certificate.valid_to), this.#ownExpiryMs);
    let received: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
    const onError = (): void => {
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      let greeting: ReturnType<typeof decodeHello>;
      try {
        if (received.length > MAX_HELLO_BYTES + 64 * 1024) throw new Error("Hello is too long");
        greeting = decodeHello(received);
      } catch (error) {
        this.#options.log.debug({ principal, reason: errorMessage(error) }, "inbound connection without a Hello");
        socket.destroy();
        return;
      }
      if (greeting === undefined) return;
      done();
      const element = clientCertificateElement(this.#options.self.principal, certificate, principal);
      this.#serve(socket, greeting.hello, { principal, element }, expiresMs, received.subarray(greeting.next));
    };
    const done = (): void => {
      clearTimeout(timer);
      socket.off("data", onData);
      socket.off("error", onError);
      socket.off("close", done);
    };
    socket.on("data", onData);
    socket.on("error", onError);
    socket.on("close", done);
  }

  #serve(socket: TLSSocket, hello: Hello, { principal, element }: Caller, expiresMs: number, rest: Buffer): void {
    const { self, clock, settings = DEFAULT_HTTP1 } = this.#options;
    const addresses = addressesOf(socket);
    const filters = this.#filters.get(hello.protocol);
    if (filters === undefined || !this.#options.isOwnService(hello.service)) {
      socket.destroy();
      return;
    }
    const source: Peer = {
      namespace: parseSpiffe(principal)?.namespace ?? "",
      service: hello.sourceService,
      host:
        hello.sourceService === ""
          ? ""
          : `${hello.sourceService}.${parseSpiffe(principal)?.namespace ?? ""}.svc.cluster.local`,
      workload: hello.sourceWorkload,
      instance: hello.sourceInstance,
      principal,
      labels: hello.sourceLabels,
      ip: socket.remoteAddress ?? "",
      port: socket.remotePort ?? 0,
    };
    const destination: Peer = { ...self, port: hello.port };
    const connection = new Http1ServerConnection(socket, {
      settings,
      clock,
      scheme: "http",
      acceptConnect: false,
      onRequest(head, end, stream) {
        const exchange = new Exchange(
          head,
          end,
          stream,
          new RequestRecord("inbound", head, source, destination, true),
          filters,
        );
        exchange.servicePort = hello.port;
        exchange.clientCertificate = element;
        exchange.record.downstream = addresses;
        exchange.resume();
        return exchange;
      },
      onRefused: (error) => tellRefused(filters, error, "inbound", source, destination, addresses),
    });
    this.listener.add(connection, expiresMs);
    if (rest.length > 0) connection.unshift(rest);
  }
}

function rootsOf(pem: string): string[] {
  return pem.split(/(?<=-----END CERTIFICATE-----)\s*/).filter((root) => root !== "");
}

function contextOptions(material: IdentityMaterial) {
  return {
    cert: material.certPem,
    key: material.keyPem,
    ca: material.rootsPem,
    minVersion: "TLSv1.3",
    secureOptions: NO_RESUMPTION,
  } as const;
}
