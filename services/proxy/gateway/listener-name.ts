import { GATEWAY_PORT } from "./gateway-routes.ts";

/** What a gateway's listener for one of its ports is called. */
export function gatewayListenerName(serverPort: number): string {
  return serverPort === GATEWAY_PORT ? "gateway" : `gateway-${serverPort}`;
}
