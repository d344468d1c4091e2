// Generates the protobuf code and compiles the TypeScript. Each step runs only when its inputs are newer.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const protoDir = join(root, "proto/mesh/v1");
const generated = join(root, "shared/wire/gen/mesh.js");
const stamp = join(root, "dist/.sources");
const typings = join(root, "shared/wire/gen/mesh.d.ts");

/** Runs a program of node_modules/.bin; its output is shown, its failure ends the build. */
function run(name, args) {
  const result = spawnSync(join(root, "node_modules/.bin", name), args, { cwd: root, stdio: "inherit" });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function protoFiles() {
  return readdirSync(protoDir)
    .filter((name) => name.endsWith(".proto"))
    .map((name) => join(protoDir, name));
}

function isGeneratedFresh() {
  if (!existsSync(generated) || !existsSync(typings)) return false;
  const made = statSync(generated).mtimeMs;
  return protoFiles().every((file) => statSync(file).mtimeMs < made);
}

/**
 * pbjs types the nested fields of a decoded message as loosely as those of a message to encode, though the
 * decoder fills every default. Inside the classes (and only there) they become the classes themselves.
 */
function tightenTypings() {
  let inClass = false;
  const lines = readFileSync(typings, "utf8")
    .split("\n")
    .map((line) => {
      if (/^ {8}class \w+ \{$/.test(line)) inClass = true;
      else if (/^ {8}\}$/.test(line)) inClass = false;
      if (!inClass || line.includes("(properties") || !/^ {12}\w+\??: /.test(line)) return line;
      return line.replace(/(mesh\.v1\.\w+)\.\$Properties/g, "$1");
    });
  writeFileSync(typings, lines.join("\n"));
}

export function generate() {
  if (isGeneratedFresh()) return;
  mkdirSync(dirname(generated), { recursive: true });
  const flags =
    "-t static-module -w esm --root mesh --no-verify --no-delimited --no-service --no-typeurl --path proto --dts";
  run("pbjs", [
    ...flags.split(" "),
    "-o",
    generated,
    ...protoFiles().map((file) => relative(join(root, "proto"), file)),
  ]);
  tightenTypings();
}

/** Every file that the compiler reads, as paths from the root. */
function sourceFiles() {
  const folders = ["shared", "services", "client", "cli", "samples", "test", "bench"].filter((name) =>
    existsSync(join(root, name)),
  );
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  return ["tsconfig.json", "package-lock.json", ...sources].sort();
}

/** The list of sources stands in dist/.sources: written after a whole compile, and as old as the build's start. */
function isCompiled(sources) {
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== sources.join("\n")) return false;
  const made = statSync(stamp).mtimeMs;
  return sources.every((file) => statSync(join(root, file)).mtimeMs < made);
}

/** Generates and compiles. dist starts empty, so that nothing is left of deleted sources. */
export function build() {
  generate();
  const sources = sourceFiles();
  if (isCompiled(sources)) return;
  const startedSeconds = Date.now() / 1000;
  rmSync(join(root, "dist"), { recursive: true, force: true });
  run("tsc", ["-p", "."]);
  writeFileSync(stamp, sources.join("\n"));
  utimesSync(stamp, startedSeconds, startedSeconds);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--gen-only")) generate();
  else build();
}
