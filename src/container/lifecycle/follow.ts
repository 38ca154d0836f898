/** A container in the foreground: signals go to it, its end is ours. */
import { constants } from "node:os";
import { EVENT } from "../plan/events.js";
import type { Stage } from "../stage/run.js";
import { signalProcess } from "./kill.js";

/** Not to be passed on: they are about us, or cannot be caught. */
const KEPT: ReadonlySet<string> = new Set(["SIGKILL", "SIGSTOP", "SIGCHLD", "SIGPIPE", "SIGURG", "SIGPROF", "SIGIOT"]);
/** Synchronous faults, which Node does not let us catch. */
const FAULTS: ReadonlySet<string> = new Set([
  "SIGSEGV",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGPOLL",
  "SIGUNUSED",
  "SIGVTALRM",
]);

/** Passes signals on to `pid` until the stage says how it ended. @returns the exit code as shells have it */
export async function followContainer(stage: Stage, pid: number): Promise<number> {
  const handlers: [NodeJS.Signals, () => void][] = [];
  for (const [name, number] of Object.entries(constants.signals)) {
    if (KEPT.has(name) || FAULTS.has(name)) continue;
    const handler = () => {
      signalProcess(pid, number);
    };
    process.on(name as NodeJS.Signals, handler);
    handlers.push([name as NodeJS.Signals, handler]);
  }
  try {
    return exitCode(await stage.expect(EVENT.exited));
  } finally {
    for (const [name, handler] of handlers) process.removeListener(name, handler);
  }
}

/** From wait(2)'s status word. */
export function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
