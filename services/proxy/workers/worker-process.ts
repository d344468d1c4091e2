import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { extname } from "node:path";
import type { Bus, Follow } from "../../../shared/bus/index.ts";
import { ERROR_CODE_HEADER, ERROR_TEXT_HEADER, TYPE_HEADER } from "../../../shared/bus/index.ts";
import type { Acceptor, Taker } from "./acceptor.ts";
import { Channel } from "./channel.ts";
import { KeyRelay, type KeyRelayOptions } from "./key-relay.ts";
import type {
  BusAnswer,
  BusName,
  BusQuestion,
  PrimaryNotice,
  PrimaryQuestions,
  WorkerFigures,
  WorkerNotice,
  WorkerQuestions,
} from "./messages.ts";

/** Variables of the primary's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface WorkerProcessOptions extends Pick<KeyRelayOptions, "tables" | "board"> {
  readonly environment: Environment;
  readonly acceptor: Acceptor;
  readonly buses: Readonly<Record<BusName, Bus>>;
  /** It is gone, whatever the reason, and has said all that it will. */
  onEnd(reason: string): void;
}

/** How long a worker that has been told to end may take. */
const END_MS = 2_000;

/** One worker, as the primary has it: its process, what it asks for, and what it is told. */
export class WorkerProcess implements Taker {
  readonly channel: Channel<WorkerQuestions, PrimaryQuestions, PrimaryNotice, WorkerNotice>;
  /** As it last told them. */
  figures: WorkerFigures | undefined;
  readonly startedMs = Date.now();
  /** Given to it so far. */
  connections = 0;
  readonly #child: ChildProcess;
  readonly #keys: KeyRelay;
  readonly #ended: Promise<void>;

  constructor({ environment, tables, board, acceptor, buses, onEnd }: WorkerProcessOptions) {
    this.#keys = new KeyRelay({ tables, board, tell: (update) => this.channel.tell({ type: "key", update }) });
    const file = new URL(`./main${extname(import.meta.url)}`, import.meta.url);
    // A worker has nothing to say on standard output but the access log, if that goes there.
    this.#child = fork(file, {
      env: withoutLogin(environment),
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.channel = new Channel({
      post: (message, socket, onFailed) => this.#post(message, socket, onFailed),
      answers: {
        bind: (order) => acceptor.bind(order),
        request: (question) => relayed(buses[question.bus], question),
      },
      hear: (notice) => this.#hear(notice),
    });
    this.#child.on("message", (message, socket) => this.channel.receive(message, socket as Socket | undefined));
    this.#ended = new Promise((resolve) => {
      const end = (reason: string): void => {
        this.channel.close();
        onEnd(reason);
        resolve();
      };
      // "close" comes after everything that it had said; without a process there is no such event.
      this.#child.once("close", (code, signal) => end(signal ?? `exit code ${code}`));
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) end(error.message);
      });
    });
  }

  get gone(): boolean {
    return !this.#child.connected;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  take(listener: string, socket: Socket): Promise<unknown> {
    this.connections++;
    return this.channel.ask("connection", { listener }, socket);
  }

  /** What it followed, once it is gone; whoever takes it lets it go. */
  takeKeys(): Follow[] {
    return this.#keys.end();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends it, by force if need be. */
  async end(): Promise<void> {
    this.channel.tell({ type: "end" });
    const timer = setTimeout(() => this.kill(), END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #hear(notice: WorkerNotice): void {
    switch (notice.type) {
      case "follow":
        this.#keys.follow(notice.id, notice.table, notice.key);
        return;
      case "unfollow":
        this.#keys.unfollow(notice.id);
        return;
      case "applied":
        this.#keys.setApplied(notice.id, notice.applied);
        return;
    }
  }

  #post(message: unknown, socket: Socket | undefined, onFailed: (error: Error) => void): void {
    if (!this.#child.connected) {
      onFailed(new Error("disconnected"));
      return;
    }
    // With keepOpen the connection stays this process's too, until the worker has said that it has it.
    this.#child.send(message as object, socket, { keepOpen: true }, (error) => {
      if (error !== null) onFailed(error);
    });
  }
}

/** A worker has no business on the bus, and its settings come with its start. */
function withoutLogin(environment: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("NATS_")));
}

/** Asks on the bus for a worker, and passes on whatever comes back. */
async function relayed(bus: Bus, { subject, data, headers, timeoutMs }: BusQuestion): Promise<BusAnswer> {
  const message = await bus.requestRaw(subject, data, { timeoutMs, headers });
  const told: Record<string, string> = {};
  for (const name of [TYPE_HEADER, ERROR_CODE_HEADER, ERROR_TEXT_HEADER]) {
    const value = message.header(name);
    if (value !== undefined) told[name] = value;
  }
  return { subject: message.subject, status: message.status, headers: told, data: message.data };
}
