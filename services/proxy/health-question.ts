import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { GrpcProbe } from "./cluster/grpc-probe.ts";

/*
 * What the parts of a health URL ask: http and https for an answer below 400, tcp for a connection, grpc for SERVING of
 * the service that its path names (none: the server as a whole). Each question has a connection of its own: a kept one
 * would hide an application that accepts no new ones.
 */

const FORMS = "http://host:port/path, https://host:port/path, tcp://host:port or grpc://host:port/service";

/** Undefined: no question, empty text. Throws on what is none of the four. */
export function parseHealthUrl(text: string): URL | undefined {
  if (text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  const isGrpc = url?.protocol === "grpc:" && isEncoded(url.pathname);
  const isTcp = url?.protocol === "tcp:" && url.pathname === "";
  if (url === undefined || url.hostname === "" || !(isHttp || ((isGrpc || isTcp) && url.port !== ""))) {
    throw new Error(`is ${JSON.stringify(text)}; use ${FORMS}`);
  }
  return url;
}

function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether the answer is good; not when it has not come before `signal`. */
export function answersWell(url: URL, signal: AbortSignal): Promise<boolean> {
  switch (url.protocol) {
    case "tcp:":
      return overConnection(url, signal, (_, settle) => settle(true));
    case "grpc:":
      return overConnection(url, signal, (socket, settle) => {
        const service = decodeURIComponent(url.pathname.slice(1));
        new GrpcProbe(socket, { authority: url.host, service }, settle);
      });
    default:
      return overHttp(url, signal);
  }
}

function overHttp(url: URL, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(url, { agent: false, signal, headers: { "user-agent": "lateen-health" } }, (response) => {
      resolve(response.statusCode !== undefined && response.statusCode < 400);
      response.on("error", () => {}).resume();
    });
    request.on("error", () => resolve(false)).end();
  });
}

function overConnection(
  url: URL,
  signal: AbortSignal,
  ask: (socket: Socket, settle: (isGood: boolean) => void) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isGood: boolean): void => {
      resolve(isGood);
      socket.destroy();
    };
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port), signal });
    socket.on("error", () => settle(false));
    socket.on("close", () => settle(false));
    socket.once("connect", () => ask(socket, settle));
  });
}
