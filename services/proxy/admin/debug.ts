import { InvalidArgumentError } from "../../../shared/base/index.ts";
import type { Bus, BusSubscription } from "../../../shared/bus/index.ts";
import type { ProxyIdentity } from "../../../shared/wire/index.ts";
import type { AdminActions } from "./actions.ts";
import { matching } from "./matching-rows.ts";
import { VIEW_NAMES, type Views } from "./views.ts";

/** An answer must fit in a message, with room for its headers. */
const MAX_ANSWER_BYTES = 1_000_000;
const ACTIONS = ["log_level", "drain"] as const;

interface Question {
  readonly view?: unknown;
  /** Only what has this text in its name. */
  readonly match?: unknown;
  readonly action?: unknown;
  readonly level?: unknown;
  readonly graceful?: unknown;
  readonly inbound_only?: unknown;
}

export type DebugActions = Pick<AdminActions, "setLogLevel" | "drainListeners">;

/**
 * Answers people who cannot reach the proxy's loopback, on the bus: `{"view": "clusters", "match": "reviews"}` with what
 * the admin API shows, and `{"action": "log_level", "level": "debug"}` or `{"action": "drain"}` by doing it. Who may ask is
 * the bus's affair: operators, and nobody who is a workload.
 */
export function serveDebug(bus: Bus, identity: ProxyIdentity, views: Views, actions: DebugActions): BusSubscription {
  return bus.serve(
    bus.subjects.proxyDebug(identity),
    async (message) => {
      const question = questionOf(message.text());
      const json = question.action === undefined ? await show(views, question) : await act(actions, views, question);
      const bytes = Buffer.byteLength(JSON.stringify(json) ?? "");
      if (bytes <= MAX_ANSWER_BYTES) return { json };
      throw new InvalidArgumentError(
        `the view has ${bytes} bytes, more than a message may have; ask for a part of it with "match": "<part of a name>"`,
      );
    },
    { maxInFlight: 8 },
  );
}

async function show(views: Views, { view, match }: Question): Promise<unknown> {
  const name = VIEW_NAMES.find((each) => each === view);
  if (name === undefined) {
    throw new InvalidArgumentError(`no such view; send {"view": "..."} with one of ${VIEW_NAMES.join(", ")}`);
  }
  const shown = await views.show(name);
  if (match === undefined) return shown;
  if (typeof match !== "string") throw new InvalidArgumentError(`"match" is not a text`);
  return matching(shown, match);
}

async function act(actions: DebugActions, views: Views, question: Question): Promise<unknown> {
  switch (ACTIONS.find((each) => each === question.action)) {
    case "log_level": {
      const { level } = question;
      if (typeof level !== "string" || !actions.setLogLevel(level)) {
        throw new InvalidArgumentError(`no such level; send "level" with one of trace, debug, info, warn, error`);
      }
      return views.show("logging");
    }
    case "drain":
      actions.drainListeners({ graceful: question.graceful === true, inboundOnly: question.inbound_only === true });
      return views.show("ready");
    case undefined:
      throw new InvalidArgumentError(`no such action; send {"action": "..."} with one of ${ACTIONS.join(", ")}`);
  }
}

function questionOf(text: string): Question {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("the request is not JSON");
  }
  if (typeof value !== "object" || value === null) throw new InvalidArgumentError("the request is not a JSON object");
  return value;
}
