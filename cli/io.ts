/** The world as a command sees it; tests bring their own. */
export interface CliIo {
  /** Results, on standard output. */
  out(text: string): void;
  /** Errors and progress, on standard error. */
  err(text: string): void;
  /** As it is, without a line break: for progress that is shown in place. Only where `isErrorTerminal`. */
  errRaw(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths and the demo's context are looked for. */
  readonly cwd: string;
  /** Whether standard output is a terminal, so that in-place updates make sense. */
  readonly isTerminal: boolean;
  /** Whether standard error is one. */
  readonly isErrorTerminal: boolean;
  /** Whether colours are wanted: on a terminal, unless NO_COLOR or TERM=dumb says otherwise. */
  readonly colours: boolean;
  readStdin(): Promise<string>;
  /** Aborted by Ctrl-C: what follows a stream ends, and the command succeeds. */
  readonly signal: AbortSignal;
}

/** What the process exits with. */
export const EXIT = {
  ok: 0,
  /** The mesh refused, something failed, or what was looked for is wrong. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** `--wait` ran into its timeout; what was accepted stays accepted. */
  waitTimeout: 3,
  /** A command whose 1 is an answer (`diff`) has failed. */
  noAnswer: 4,
} as const;

/** The same for people. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  [EXIT.ok]: "done",
  [EXIT.failed]: "refused, failed, or not as it should be",
  [EXIT.usage]: "wrong command line",
  [EXIT.waitTimeout]: "--wait ran into its timeout; what was accepted stays accepted",
  [EXIT.noAnswer]: "a command whose 1 is an answer could not give one",
};

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}
