import { destination, type Logger, pino } from "pino";

export type { Logger } from "pino";

export interface LogOptions {
  /** "pilot", "mixer", "ca", "proxy" or "cli". */
  readonly component: string;
  /** Default: info. */
  readonly level?: string;
}

/** JSON lines on standard error, so that standard output stays for the ready line. */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      level: options.level ?? "info",
      base: { component: options.component },
      redact: ["password", "*.password", "key", "*.key"],
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: 2, sync: true }),
  );
}
