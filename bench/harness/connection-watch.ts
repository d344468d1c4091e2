import { readFileSync } from "node:fs";

const EVERY_MS = 200;
const ESTABLISHED = "01";

/**
 * Counts connections to a local port that go away, by what the system knows of them: a load generator that quietly opens
 * another one is not believed. Linux only.
 */
export class ConnectionWatch {
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  #known: ReadonlySet<string>;
  #closed = 0;
  #most = 0;

  /** `port`: where the connections go to. Begin when they are open. */
  constructor(port: number) {
    this.#port = port;
    this.#known = this.#look();
    this.#timer = setInterval(() => this.#compare(), EVERY_MS);
  }

  /** Call before the connections are closed on purpose. */
  stop(): { readonly closed: number; readonly open: number } {
    clearInterval(this.#timer);
    this.#compare();
    return { closed: this.#closed, open: this.#most };
  }

  #compare(): void {
    const now = this.#look();
    for (const each of this.#known) if (!now.has(each)) this.#closed++;
    this.#known = now;
  }

  #look(): ReadonlySet<string> {
    const remote = `0100007F:${this.#port.toString(16).toUpperCase().padStart(4, "0")}`;
    const rows = readFileSync("/proc/net/tcp", "utf8").split("\n");
    const fields = rows.map((row) => row.trim().split(/\s+/));
    const open = fields.filter((each) => each[2] === remote && each[3] === ESTABLISHED).map((each) => each[1] ?? "");
    this.#most = Math.max(this.#most, open.length);
    return new Set(open);
  }
}
