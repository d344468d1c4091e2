import { readFileSync } from "node:fs";
import { ConfigError, errorMessage } from "../shared/base/index.ts";

/** Which mesh, and who is asking. */
export interface MeshSettings {
  /** NATS servers, comma-separated; default `nats://127.0.0.1:4222`. */
  readonly servers?: string;
  readonly user?: string;
  readonly password?: string;
  /** First token of every subject; default `mesh`. */
  readonly prefix?: string;
}

/** From NATS_URL, NATS_USER, NATS_PASSWORD and MESH_PREFIX, as every process of the mesh reads them. */
export function settingsFromEnv(env: Readonly<Record<string, string | undefined>>): MeshSettings {
  return settingsOf({
    servers: env["NATS_URL"],
    user: env["NATS_USER"],
    password: env["NATS_PASSWORD"],
    prefix: env["MESH_PREFIX"],
  });
}

/**
 * From a file: a `credentials.env` as `lateen bus-config` writes it (NAME=value lines), or a context as the demo writes it
 * (JSON with natsUrl, user, password, prefix). Throws ConfigError.
 */
export function settingsFromFile(file: string): MeshSettings {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${errorMessage(error)}`);
  }
  return content.trimStart().startsWith("{") ? fromContext(content, file) : fromEnvFile(content, file);
}

function fromContext(content: string, file: string): MeshSettings {
  try {
    const { natsUrl, user, password, prefix } = JSON.parse(content) as Record<string, unknown>;
    return settingsOf({ servers: natsUrl, user, password, prefix });
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${errorMessage(error)}`);
  }
}

function fromEnvFile(content: string, file: string): MeshSettings {
  const env: Record<string, string> = {};
  for (const line of content.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name, value = ""] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined) throw new ConfigError(`cannot read ${file}: write NAME=value lines, or a JSON object`);
    env[name] = value;
  }
  return settingsFromEnv(env);
}

function settingsOf(given: Readonly<Record<keyof MeshSettings, unknown>>): MeshSettings {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => typeof value === "string" && value !== ""),
  ) as MeshSettings;
}
