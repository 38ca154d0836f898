/** A process by its pid and the time it started: pids are used again. */
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot (proc_pid_stat(5), field 22), as text: it may not fit a number. */
  readonly startTime: string;
}

interface Status {
  /** R, S, D, Z and so on. */
  readonly state: string;
  readonly startTime: string;
}

function readStatus(pid: number): Status | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0], startTime: fields[19] };
  } catch {
    return null;
  }
}

/** Null where there is no such process. */
export function identify(pid: number): ProcessIdentity | null {
  const status = readStatus(pid);
  return status && { pid, startTime: status.startTime };
}

/** It is still there, and not a zombie that waits to be reaped. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  if (pid <= 0) return false;
  const status = readStatus(pid);
  return status !== null && status.startTime === startTime && status.state !== "Z" && status.state !== "X";
}
