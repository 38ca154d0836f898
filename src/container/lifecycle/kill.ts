/** `kill`: a signal to a container's first process, or to all of them. */
import { constants } from "node:os";
import { openCgroup } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import type { ContainerRecord, Store } from "../state/store.js";
import { statusOf } from "./status.js";

const SIGKILL = 9;
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** A number, or a name with or without SIG, in any case. @throws ContainerError `USAGE` */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= SIGRTMAX) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-]\d+))?$/.exec(name);
  if (realTime) {
    const number = (realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(realTime[2] ?? 0);
    if (number >= SIGRTMIN && number <= SIGRTMAX) return number;
  }
  const signals = constants.signals as Readonly<Record<string, number>>;
  if (Object.hasOwn(signals, `SIG${name}`)) return signals[`SIG${name}`];
  throw new ContainerError("USAGE", `unknown signal ${JSON.stringify(text)}`);
}

/** Returns false where there is no such process any more. */
export function signalProcess(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * @param all every process of the container, also when its first one has ended
 * @throws ContainerError `WRONG_STATE` for a container that has stopped
 */
export async function killContainer(
  store: Store,
  record: ContainerRecord,
  signal: number,
  all: boolean,
): Promise<void> {
  if (all) {
    const cgroup = openCgroup(record.cgroup);
    if (cgroup.exists()) await cgroup.kill(signal);
    return;
  }
  const status = statusOf(store, record);
  if (status === "stopped" || record.process === null || !signalProcess(record.process.pid, signal)) {
    throw new ContainerError("WRONG_STATE", "container not running");
  }
  if (signal !== SIGKILL) return;
  const cgroup = openCgroup(record.cgroup);
  // cgroup v1 keeps a frozen process from dying.
  if (status === "paused") await cgroup.thaw();
  // Without a pid namespace nobody ends the others when the first process dies.
  if (!hasOwnPids(store, record)) await cgroup.kill(signal);
}

/** The kernel kills everyone in a pid namespace whose first process ends. */
function hasOwnPids(store: Store, record: ContainerRecord): boolean {
  return store.loadConfig(record.id).linux?.namespaces?.some(({ type, path }) => type === "pid" && !path) ?? false;
}
