// Makes a clean clone ready to build and run: npm dependencies, nats-server and redis-server. No dependencies itself.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Where servers live beside PATH: system packages often install into sbin, which PATH may leave out. */
const EXTRA_PATHS = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/** Each server with the package that holds it, by package manager. */
const SERVERS = [
  {
    program: "nats-server",
    packages: { "apt-get": "nats-server", brew: "nats-server", dnf: "nats-server", apk: "nats-server" },
  },
  { program: "redis-server", packages: { "apt-get": "redis-server", brew: "redis", dnf: "redis", apk: "redis" } },
];

const INSTALLERS = [
  {
    manager: "apt-get",
    needsRoot: true,
    before: ["update", "-q"],
    install: ["install", "-y", "-q", "--no-install-recommends"],
  },
  { manager: "dnf", needsRoot: true, install: ["install", "-y"] },
  { manager: "apk", needsRoot: true, install: ["add"] },
  { manager: "brew", needsRoot: false, install: ["install"] },
];

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** The program's path, or undefined. */
export function findProgram(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

function extendPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  process.env.PATH = [...folders, ...EXTRA_PATHS.filter((folder) => !folders.includes(folder))].join(delimiter);
}

/** What differs between the lock file and what is installed; optional packages (other platforms') do not count. */
function staleDependency() {
  const installedLock = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedLock)) return "node_modules";
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedLock, "utf8")).packages;
  return Object.keys(wanted).find(
    (path) => path !== "" && !wanted[path].optional && installed[path]?.version !== wanted[path].version,
  );
}

function installDependencies() {
  const stale = staleDependency();
  if (stale === undefined) return;
  say(`${stale} is absent or stale: running npm ci`);
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail("npm ci failed; its output is above");
}

/** The words that go before a command that needs root: none, `sudo -n`, or undefined when it is not allowed. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  if (findProgram("sudo") && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0) return ["sudo", "-n"];
  return undefined;
}

function runShown(words, env = {}) {
  say(words.join(" "));
  return spawnSync(words[0], words.slice(1), { stdio: ["ignore", 2, 2], env: { ...process.env, ...env } }).status === 0;
}

/** A package may have started its server as a system service, now and at every boot, which nobody asked for. */
function stopService(prefix, name) {
  if (existsSync("/run/systemd/system")) {
    runShown([...prefix, "systemctl", "disable", "--now", name]);
  } else if (existsSync(`/etc/init.d/${name}`)) {
    runShown([...prefix, "service", name, "stop"]);
    if (findProgram("update-rc.d")) runShown([...prefix, "update-rc.d", name, "disable"]);
  }
}

function installServers(missing) {
  for (const { manager, needsRoot, before, install } of INSTALLERS) {
    if (!findProgram(manager)) continue;
    const prefix = needsRoot ? rootPrefix() : [];
    if (prefix === undefined) continue;
    const packages = missing.map((server) => server.packages[manager]);
    say(`${missing.map((server) => server.program).join(" and ")} not found: installing with ${manager}`);
    // RUNLEVEL=1 keeps Debian's packages from starting their services.
    const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const environment =
      prefix.length > 0 ? ["env", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)] : [];
    if (before) runShown([...prefix, ...environment, manager, ...before], env);
    if (!runShown([...prefix, ...environment, manager, ...install, ...packages], env)) continue;
    if (needsRoot) for (const server of missing) stopService(prefix, server.program);
    return;
  }
}

function requireServers() {
  const missing = () => SERVERS.filter((server) => findProgram(server.program) === undefined);
  if (missing().length === 0) return;
  installServers(missing());
  const still = missing();
  if (still.length === 0) return;
  const names = still.map((server) => server.program).join(" and ");
  const lines = INSTALLERS.map(({ manager, needsRoot, install }) => {
    const packages = still.map((server) => server.packages[manager]).join(" ");
    return `  ${needsRoot ? "sudo " : ""}${manager} ${install.filter((word) => word !== "-q").join(" ")} ${packages}`;
  });
  fail(
    [
      `please install ${names} (nats-server 2.9 or newer, redis-server 6 or newer), with one of:`,
      ...lines,
      "or put the programs on PATH.",
    ].join("\n"),
  );
}

function fail(text) {
  say(text);
  process.exit(1);
}

/** Everything that a build and a run need. Extends this process's PATH, so children find the servers too. */
export function setup() {
  if (Number(process.versions.node.split(".")[0]) < 20) fail(`Node 20 or newer is needed; this is ${process.version}`);
  extendPath();
  installDependencies();
  requireServers();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();
