/** What the runtime itself is on this host. */
import { readFileSync } from "node:fs";
import type { Rlimit } from "../spec/config.js";

/** Any user namespace but the first, whose map is everything to itself (user_namespaces(7)). */
export function inUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
}

/** Root of its user namespace: it may mount and set groups, and in the first one make devices. */
export function isPrivileged(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The soft limit of open files that our caller has: Node raises its own to the hard one at the start, and that must
 * not be the container's. Null where nothing was raised.
 */
export function callersFileLimit(): Rlimit | null {
  try {
    const read = (pid: number | "self") => {
      const line = readFileSync(`/proc/${pid}/limits`, "utf8").match(/^Max open files\s+(\d+)\s+(\d+)/m);
      return line ? [Number(line[1]), Number(line[2])] : null;
    };
    const ours = read("self");
    const callers = read(process.ppid);
    if (!ours || !callers || callers[0] >= ours[0]) return null;
    return { type: "RLIMIT_NOFILE", soft: callers[0], hard: ours[1] };
  } catch {
    return null;
  }
}
