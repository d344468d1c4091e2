import type { Socket } from "node:net";

/** Both ends of a client's connection, as `address:port`. */
export interface ConnectionAddresses {
  readonly remote: string;
  readonly local: string;
}

export const NO_ADDRESSES: ConnectionAddresses = { remote: "", local: "" };

export function addressesOf(socket: Socket): ConnectionAddresses {
  return {
    remote: addressText(socket.remoteAddress, socket.remotePort),
    local: addressText(socket.localAddress, socket.localPort),
  };
}

/** `127.0.0.1:80`, `[::1]:80`; empty when the socket is not connected any more. */
export function addressText(address: string | undefined, port: number | undefined): string {
  if (address === undefined || port === undefined) return "";
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
