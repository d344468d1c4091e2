import type { CommandDefinition } from "./command.ts";
import { ANALYZE } from "./commands/analyze.ts";
import { APPLY } from "./commands/apply.ts";
import { AUTHZ } from "./commands/authz.ts";
import { BUS_CONFIG } from "./commands/bus-config.ts";
import { CHECK } from "./commands/check.ts";
import { COMPLETE, COMPLETION } from "./commands/completion.ts";
import { COMPONENT_COMMANDS } from "./commands/component.ts";
import { CONTEXT } from "./commands/context.ts";
import { CREATE } from "./commands/create.ts";
import { DELETE } from "./commands/delete.ts";
import { DESCRIBE } from "./commands/describe.ts";
import { DIFF } from "./commands/diff.ts";
import { EDGES } from "./commands/edges.ts";
import { EXPLAIN } from "./commands/explain.ts";
import { EXPLAIN_KIND } from "./commands/explain-kind.ts";
import { GET } from "./commands/get.ts";
import { HISTORY } from "./commands/history.ts";
import { MIXC } from "./commands/mixc.ts";
import { PROXY_CONFIG } from "./commands/proxy-config.ts";
import { PROXY_STATUS } from "./commands/proxy-status.ts";
import { REPLACE } from "./commands/replace.ts";
import { ROLLBACK } from "./commands/rollback.ts";
import { STAT } from "./commands/stat.ts";
import { TAP } from "./commands/tap.ts";
import { TELEMETRY } from "./commands/telemetry.ts";
import { TOP } from "./commands/top.ts";
import { VALIDATE } from "./commands/validate.ts";
import { VERSION } from "./commands/version.ts";
import { WORKLOAD } from "./commands/workload.ts";

/** Every command. Help and docs/cli.md show them by group, and within a group in this order. */
export const COMMANDS: readonly CommandDefinition[] = [
  APPLY,
  CREATE,
  REPLACE,
  DIFF,
  GET,
  VALIDATE,
  EXPLAIN,
  EXPLAIN_KIND,
  DELETE,
  HISTORY,
  ROLLBACK,
  ANALYZE,
  TAP,
  TOP,
  STAT,
  EDGES,
  TELEMETRY,
  CHECK,
  PROXY_STATUS,
  PROXY_CONFIG,
  DESCRIBE,
  AUTHZ,
  MIXC,
  BUS_CONFIG,
  WORKLOAD,
  CONTEXT,
  COMPLETION,
  VERSION,
  COMPLETE,
  ...COMPONENT_COMMANDS,
];
