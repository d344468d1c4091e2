import { custom, oneOf, type Setting, text } from "./settings.ts";

/** What every process of the mesh has. */
export const BUS_SETTINGS = {
  natsUrl: text({
    env: "NATS_URL",
    default: "nats://127.0.0.1:4222",
    doc: "NATS servers, comma-separated.",
  }),
  natsUser: text({
    env: "NATS_USER",
    default: "",
    doc: "User name on the bus. A component also connects as `<user>-store`.",
  }),
  natsPassword: text({ env: "NATS_PASSWORD", default: "", doc: "Password of both users." }),
  meshPrefix: custom(
    "token",
    {
      env: "MESH_PREFIX",
      default: "mesh",
      doc: "First token of every subject, bucket and Redis key: two meshes can share one NATS.",
    },
    (raw) => {
      if (!/^[A-Za-z0-9-]+$/.test(raw)) throw new Error(`is ${JSON.stringify(raw)}; use letters, digits and dashes`);
      return raw;
    },
    String,
  ),
  dataDir: text({
    env: "LATEEN_DATA_DIR",
    default: "./data",
    doc: "Folder of the process's own state; files are made with mode 0600.",
  }),
  logLevel: oneOf(["trace", "debug", "info", "warn", "error"], {
    env: "LOG_LEVEL",
    default: "info",
    doc: "Least severe level that is logged (JSON lines on standard error).",
  }),
} as const satisfies Readonly<Record<string, Setting<unknown>>>;
