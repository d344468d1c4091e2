/** What may be done to a running proxy. */
export interface AdminActions {
  /** False when there is no such level. */
  setLogLevel(level: string): boolean;
  /** Fails (or passes again) every health check, so that no more requests come. */
  failHealthCheck(failed: boolean): void;
  /** `graceful`: out of the registry first. `inboundOnly`: the application's own requests go on. */
  drainListeners(options: { readonly graceful: boolean; readonly inboundOnly: boolean }): void;
  /** Drains and ends the process. */
  quit(): void;
}
