import { type App, ConfigError, errorMessage, Lifecycle } from "../base/index.ts";

/** Exit codes of every process: what ended it. */
export const EXIT = { drained: 0, failedStart: 1, badConfig: 64, drainDeadline: 70 } as const;

export interface ProcessOptions<C> {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly argv: readonly string[];
  parse(env: ProcessOptions<C>["env"], argv: readonly string[]): C;
  build(config: C): App;
  /** How long a drain may take. Default 30 s. */
  readonly drainDeadlineMs?: number;
}

/**
 * The life of a process: settings, start, one ready line on standard output, then a drain on SIGTERM or SIGINT.
 * With LATEEN_EXIT_WITH_PARENT=1 it also drains when its standard input ends, which is when whoever started it is
 * gone, however it died.
 */
export async function runProcess<C>(options: ProcessOptions<C>): Promise<void> {
  const lifecycle = new Lifecycle();
  const fail = (code: number, text: string): never => {
    process.stderr.write(`${text}\n`);
    process.exit(code);
  };
  let app: App;
  try {
    app = options.build(options.parse(options.env, options.argv));
  } catch (error) {
    return fail(error instanceof ConfigError ? EXIT.badConfig : EXIT.failedStart, errorMessage(error));
  }
  const drain = (): void => {
    if (lifecycle.state !== "ready" && lifecycle.state !== "starting") return;
    lifecycle.to("draining");
    setTimeout(() => process.exit(EXIT.drainDeadline), options.drainDeadlineMs ?? 30_000).unref();
    app.stop().then(
      () => process.exit(EXIT.drained),
      (error: unknown) => fail(EXIT.failedStart, `drain failed: ${errorMessage(error)}`),
    );
  };
  process.on("SIGTERM", drain);
  process.on("SIGINT", drain);
  if (options.env["LATEEN_EXIT_WITH_PARENT"] === "1") {
    process.stdin.on("end", drain).on("error", drain).resume();
    process.stdin.unref?.();
  }
  lifecycle.to("starting");
  try {
    const ports = await app.start();
    if (lifecycle.state !== "starting") return;
    lifecycle.to("ready");
    process.stdout.write(`${JSON.stringify({ ready: true, ports })}\n`);
  } catch (error) {
    // A start that its own drain has cut short is no failure.
    if (lifecycle.state === "draining") return;
    fail(EXIT.failedStart, `start failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
