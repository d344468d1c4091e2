import { readFileSync } from "node:fs";

/** Ticks of utime and stime in /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** User and system time of whole processes so far, in microseconds. Linux only. */
export function cpuTimeUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * TICK_US, 0);
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command's name, in brackets, may hold spaces; utime is the 12th field after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Memory of a process that is in RAM, in bytes. Linux only. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (line === null) throw new Error(`/proc/${pid}/status tells no VmRSS`);
  return Number(line[1]) * 1024;
}

/** `command`, bound to one processor. */
export function pinned(cpu: number, command: string, args: readonly string[]): [string, string[]] {
  return ["taskset", ["-c", String(cpu), command, ...args]];
}
