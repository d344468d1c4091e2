import type { Logger } from "../../shared/obs/index.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** The level of a logger and of all that are made from it: a child keeps its own level, so each has to be told. */
export class LogLevel {
  readonly #loggers: Logger[];
  readonly #listeners = new Set<(level: string) => void>();

  /** To be made before the children. */
  constructor(logger: Logger) {
    this.#loggers = [logger];
    logger.onChild = (child: Logger) => this.#loggers.push(child);
  }

  get current(): string {
    return this.#loggers[0]?.level ?? "";
  }

  /** False when there is no such level. */
  set(level: string): boolean {
    if (!LEVELS.includes(level)) return false;
    for (const logger of this.#loggers) logger.level = level;
    for (const listener of this.#listeners) listener(level);
    return true;
  }

  /** Called after each change. */
  onChange(listener: (level: string) => void): void {
    this.#listeners.add(listener);
  }
}
