import { RESPONSE_DETAILS, RESPONSE_FLAGS } from "../../services/proxy/stream/response-detail.ts";
import { ERROR_CODES } from "../../shared/base/index.ts";
import { ATTRIBUTES, VALUE_TYPES } from "../../shared/model/index.ts";
import { renderAnalysisCodes } from "./analysis-codes.ts";
import { renderCli } from "./cli-reference.ts";
import { renderClientExamples } from "./client-examples.ts";
import { renderLinks, renderUsers } from "./permission-tables.ts";
import { code, table } from "./sections.ts";
import { renderSettings, SETTINGS } from "./settings-tables.ts";

/** The made sections of each page below docs/. */
export const PAGES: Readonly<Record<string, ReadonlyMap<string, string>>> = {
  "analysis.md": renderAnalysisCodes(),
  "cli.md": renderCli(),
  "client.md": renderClientExamples(),
  "config.md": new Map(
    Object.entries(SETTINGS).map(([name, settings]) => [`settings ${name}`, renderSettings(settings)]),
  ),
  "errors.md": new Map([
    ["codes", renderCodes()],
    ["response details", renderDetails()],
    ["response flags", renderFlags()],
  ]),
  "rules.md": new Map([["attributes", renderAttributes()]]),
  "subjects.md": new Map([
    ["users", renderUsers()],
    ["links", renderLinks()],
  ]),
};

function renderCodes(): string {
  return table(
    ["code", "gRPC", "HTTP", "worth a retry"],
    Object.entries(ERROR_CODES).map(([name, { grpc, http, retryable }]) => [
      code(name),
      String(grpc),
      String(http),
      retryable ? "yes" : "no",
    ]),
  );
}

function renderDetails(): string {
  return table(
    ["detail", "status", "flag", "why"],
    Object.entries(RESPONSE_DETAILS).map(([detail, { status, flag, why }]) => [
      code(detail),
      status,
      flag === "" ? "" : code(flag),
      why,
    ]),
  );
}

function renderFlags(): string {
  return table(
    ["flag", "meaning"],
    Object.entries(RESPONSE_FLAGS).map(([flag, meaning]) => [code(flag), meaning]),
  );
}

function renderAttributes(): string {
  const namesOf = (type: string) => [...ATTRIBUTES].filter(([, each]) => each === type).map(([name]) => code(name));
  const rows = VALUE_TYPES.map((type) => [type, namesOf(type).join(", ")]).filter(([, names]) => names !== "");
  return table(["type", "attributes"], rows);
}
