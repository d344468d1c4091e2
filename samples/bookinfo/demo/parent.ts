import { readFileSync } from "node:fs";

/**
 * Notices that whoever started the launcher is gone, without being told: an orphan is given to another parent. Under
 * `npm run` a shell stands between npm and the launcher, and outlives a killed npm; so the shell's parent counts too
 * (on Linux, where it can be read).
 */
export function onParentGone(callback: () => void, underShell: boolean): void {
  const parent = process.ppid;
  const grandparent = underShell ? parentOf(parent) : undefined;
  const timer = setInterval(() => {
    const shellOrphaned = grandparent !== undefined && parentOf(parent) !== grandparent;
    if (process.ppid === parent && !shellOrphaned) return;
    clearInterval(timer);
    callback();
  }, CHECK_EVERY_MS);
  timer.unref();
}

const CHECK_EVERY_MS = 500;

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in brackets, may hold spaces.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
