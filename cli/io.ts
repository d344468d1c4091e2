/** The world as a command sees it; tests bring their own. */
export interface CliIo {
  /** Results, on standard output. */
  out(text: string): void;
  /** Errors and progress, on standard error. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths and the demo's context are looked for. */
  readonly cwd: string;
  /** Whether colours and in-place updates make sense. */
  readonly isTerminal: boolean;
  readStdin(): Promise<string>;
  /** Aborted by Ctrl-C: what follows a stream ends, and the command succeeds. */
  readonly signal: AbortSignal;
}

/** What the process exits with. */
export const EXIT = {
  ok: 0,
  /** The mesh refused, or something failed. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** `--wait` ran into its timeout; what was accepted stays accepted. */
  waitTimeout: 3,
} as const;

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}
