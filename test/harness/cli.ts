import type { CliIo } from "../../cli/io.ts";
import { runCli } from "../../cli/program.ts";

export interface CliRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** Default: none of both streams is a terminal. */
  readonly isTerminal?: boolean;
  /** Called with each piece of standard output. */
  readonly onOut?: (text: string) => void;
}

export interface CliOutcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command line without a process: what it writes is kept. */
export function cliIo({ env = {}, cwd = "/", stdin = "", signal, isTerminal = false, onOut }: CliRun = {}): CliIo & {
  readonly outLines: readonly string[];
  readonly errLines: readonly string[];
} {
  const outLines: string[] = [];
  const errLines: string[] = [];
  return {
    outLines,
    errLines,
    out: (text) => {
      outLines.push(text);
      onOut?.(text);
    },
    err: (text) => void errLines.push(text),
    errRaw: (text) => void errLines.push(text),
    env,
    cwd,
    isTerminal,
    isErrorTerminal: isTerminal,
    colours: isTerminal,
    readStdin: async () => stdin,
    signal: signal ?? new AbortController().signal,
  };
}

/** Runs `lateen` with these arguments in this process. */
export async function runLateen(args: readonly string[], options: CliRun = {}): Promise<CliOutcome> {
  const io = cliIo(options);
  const code = await runCli(args, io);
  return { code, out: io.outLines.join("\n"), err: io.errLines.join("\n") };
}
